// What the checks of one run share: each part is read or opened when the first check asks for it, and
// once. It owns a scratch directory and a connection to the bus, both gone when it is disposed of.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { askAgent, invalid } from '#agent/api/client.ts';
import { statusSchema, type Status } from '#agent/api/status.ts';
import type { Clock } from '#agent/base/clock.ts';
import { TidelockError } from '#agent/base/errors.ts';
import type { Run } from '#agent/base/run.ts';
import { problemsOf } from '#agent/base/schema.ts';
import { loadConfig, type Config, type ConfigSources } from '#agent/config.ts';
import { resolveNetns, type PodNetns } from '#agent/inventory/netns.ts';
import { placeOf, readInventory } from '#agent/inventory/file.ts';
import {
  readAttestationPolicy,
  readOwnEnrolment,
  readReference,
  type OwnEnrolment,
  type OwnPolicy,
} from '#agent/ownerDocuments.ts';
import type { ReferencePolicy } from '#attest/policy/document.ts';
import { openTpm, type Tpm } from '#attest/tpm/tpm.ts';
import { openServers, type BusServers } from './busServers.ts';

/** A pod of the inventory and where its network namespace is. */
export interface PodPlaceFound {
  readonly uid: string;
  /** `namespace/name`. */
  readonly name: string;
  readonly netns: PodNetns;
}

export interface Context extends AsyncDisposable {
  readonly clock: Clock;
  readonly run: Run;
  /** Of this process: `PATH` and what else a program would inherit. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Removed with the context. */
  scratch(): Promise<string>;
  /** Errors: CONFIG_INVALID. */
  config(): Promise<Config>;
  /** Errors: those of readAttestationPolicy. */
  policy(): Promise<OwnPolicy>;
  /** Errors: those of readOwnEnrolment. */
  enrolment(): Promise<OwnEnrolment>;
  /** Errors: those of readReference. */
  reference(): Promise<ReferencePolicy | undefined>;
  /** Errors: INVENTORY_INVALID. */
  pods(): Promise<readonly PodPlaceFound[]>;
  /** Errors: TPM_TCTI_REFUSED. */
  tpm(): Promise<Tpm>;
  /** Every configured server, tried by itself. */
  bus(): Promise<BusServers>;
  /** What the running agent says; undefined when none answers. Errors: AGENT_ANSWER_INVALID. */
  status(): Promise<Status | undefined>;
}

export interface ContextInit {
  readonly sources: ConfigSources;
  readonly clock: Clock;
  readonly run: Run;
  /** Ends what the context has started. */
  readonly signal: AbortSignal;
}

/** Opens nothing yet. */
export function openContext({ sources, clock, run, signal }: ContextInit): Context {
  const bounded: Run = (argv, options) => run(argv, { signal, ...options });
  const scratch = once(() => mkdtemp(join(tmpdir(), 'tidelock-doctor-')));
  const config = once(() => loadConfig(sources));
  const policy = once(async () => readAttestationPolicy(await config()));
  const tpm = once(async () => {
    const { tpm: access } = await config();
    const workDir = await scratch();
    return openTpm({ ...access, run: bounded, workDir, signal });
  });
  const bus = once(async () => openServers(await config(), signal));
  return {
    clock,
    run: bounded,
    env: sources.env,
    scratch,
    config,
    policy,
    enrolment: once(async () => readOwnEnrolment(await config())),
    reference: once(async () => readReference(await config(), (await policy()).policy)),
    pods: once(async () => podsOf(await config())),
    tpm,
    bus,
    status: once(async () => statusOf((await config()).api.controlSocket)),
    [Symbol.asyncDispose]: async () => {
      await bus.made()?.then((servers) => servers.close(), ignored);
      await tpm.made()?.then((open) => open[Symbol.asyncDispose](), ignored);
      await scratch.made()?.then((dir) => rm(dir, { recursive: true, force: true }), ignored);
    },
  };
}

const ignored = (): undefined => undefined; // what could not be made needs no end

interface Once<T> {
  (): Promise<T>;
  /** The value, if somebody has asked for it. */
  made(): Promise<T> | undefined;
}

function once<T>(make: () => Promise<T>): Once<T> {
  let value: Promise<T> | undefined;
  return Object.assign(() => (value ??= make()), { made: () => value });
}

async function podsOf({ inventory }: Config): Promise<readonly PodPlaceFound[]> {
  const { pods: entries } = await readInventory(inventory.file);
  return Promise.all(
    entries.map(async (entry) => ({
      uid: entry.uid,
      name: `${entry.namespace}/${entry.name}`,
      netns: await resolveNetns(placeOf(entry)),
    })),
  );
}

async function statusOf(socket: string): Promise<Status | undefined> {
  const answer = await askAgent(socket, '/status').catch((thrown: unknown) => {
    if (thrown instanceof TidelockError && thrown.code === 'AGENT_UNREACHABLE') return undefined;
    throw thrown;
  });
  if (answer === undefined) return undefined;
  const parsed = statusSchema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw invalid(socket, problemsOf(parsed.error).slice(0, 5).join('; '));
}
