// Where a test's lease is kept: a bucket on a real nats-server, or a Lease at the stand-in API server. What a test
// does behind the agents' backs (a backup put back, garbage, a touch) is the same for both.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { systemClock, type Clock } from '#agent/base/clock.ts';
import type { Json } from '#agent/base/jcs.ts';
import { openBus, type Bus } from '#agent/epochs/bus.ts';
import { busLease, LEASE_KEY } from '#agent/epochs/busLease.ts';
import { inboxOf } from '#agent/epochs/grants.ts';
import { busLayout } from '#agent/epochs/layout.ts';
import type { LeaseStore } from '#agent/epochs/lease.ts';
import { keptLog } from '#agent/epochs/records.fixture.ts';
import { subjectsOf } from '#agent/epochs/subjects.ts';
import { kubernetesLease } from '#agent/kube/leaseStore.ts';
import type { Rule } from '#hwtest/apiserver/rbac.ts';
import { StandInApiServer } from '#hwtest/apiserver/standIn.ts';
import { startNats } from '#hwtest/guarantees/natsServer.fixture.ts';

export const TTL_MS = 1000;
export const NAMESPACE = 'tidelock';

/** One lease, of which nothing is there yet. */
export interface Place {
  /** The store of one candidate more. */
  open(clock: Clock): Promise<LeaseStore>;
  /** What is there now, to be put back later. */
  backup(): Promise<unknown>;
  restore(backup: unknown): Promise<void>;
  /** Each is put there by somebody who is no agent. */
  readonly garbage: readonly Json[];
  put(garbage: Json): Promise<void>;
}

export interface Places extends AsyncDisposable {
  fresh(): Promise<Place>;
}

let used = 0;

/** A nats-server of its own. */
export async function placesOnBus(): Promise<Places> {
  const nats = await startNats();
  const buses: Bus[] = [];
  const connect = async (cluster: string): Promise<Bus> => {
    const { buckets } = busLayout(subjectsOf(cluster), 60_000, 1);
    const bus = openBus({
      servers: [nats.url],
      name: 'test',
      inboxPrefix: inboxOf('test'),
      streams: [],
      buckets: buckets.filter(({ name }) => name.endsWith('_lease')),
      clock: systemClock,
      random: Math.random,
      log: keptLog().log,
    });
    buses.push(bus);
    await new Promise<void>((resolve) => bus.onConnect(resolve));
    return bus;
  };
  return {
    fresh: async () => {
      const cluster = `c${(used += 1)}`;
      const bucket = subjectsOf(cluster).buckets.lease;
      const operator = await connect(cluster);
      const put = async (value: Json): Promise<void> => {
        if (!(await operator.put(bucket, LEASE_KEY, value))) throw new Error('was not stored');
      };
      return {
        open: async () => busLease(await connect(cluster), bucket),
        backup: async () => (await operator.get(bucket, LEASE_KEY))?.value,
        restore: (backup) => put(backup as Json),
        garbage: [
          'free',
          null,
          7,
          [],
          {},
          { v: 2, holder: null, term: 7, beat: 1 },
          { v: 1, holder: { node: 'UPPER', sid: 'x' }, term: 7, beat: 1 },
          { v: 1, holder: null, term: -7, beat: 1 },
          { v: 1, holder: null, term: 7.5, beat: 1 },
          { v: 1, holder: null, term: Number.MAX_SAFE_INTEGER, beat: 0 },
          { v: 1, holder: null, term: 7, beat: 1, more: true },
        ],
        put,
      };
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(buses.map((bus) => bus.close()));
      await nats[Symbol.asyncDispose]();
    },
  };
}

/** What daemonset/components/kubernetes-lease gives an agent of a cluster, and nothing more. */
export function rulesFor(cluster: string): Rule[] {
  const file = new URL('../../daemonset/components/kubernetes-lease/rbac.yaml', import.meta.url);
  const role = parseAllDocuments(readFileSync(file, 'utf8'))
    .map((document) => document.toJS() as { readonly kind: string; readonly rules: Rule[] })
    .find(({ kind }) => kind === 'Role');
  const text = JSON.stringify(role?.rules).replaceAll('-example-', `-${cluster}-`);
  return JSON.parse(text) as Rule[];
}

export const leaseNameIn = (cluster: string): string => `tidelock-${cluster}-conductor`;

/** An account that has exactly these rules, and the file with its token. */
export interface Candidate {
  readonly kubeconfig: string;
  /** Gives it another token, as the kubelet does. */
  renew(): void;
  /** Its token holds no longer. */
  expire(): void;
  close(): void;
}

/** A service account of the agents at `server`, with a token of its own. */
export function candidateAt(server: StandInApiServer, rules: readonly Rule[]): Candidate {
  const dir = mkdtempSync(join(tmpdir(), 'tl-token-'));
  const tokenFile = join(dir, 'token');
  let token = '';
  const renew = (): void => {
    token = server.issue({ user: 'system:serviceaccount:tidelock:tidelock-agent', rules });
    writeFileSync(tokenFile, `${token}\n`, { mode: 0o600 });
  };
  renew();
  return {
    kubeconfig: server.kubeconfig(`candidate-${(used += 1)}`, tokenFile),
    renew,
    expire: () => server.expire(token),
    close: () => rmSync(dir, { recursive: true }),
  };
}

/** The stand-in API server, to which every candidate comes as itself. */
export async function placesInKubernetes(): Promise<Places> {
  const server = await StandInApiServer.start();
  const candidates: Candidate[] = [];
  const stores: LeaseStore[] = [];
  return {
    fresh: () => {
      const cluster = `c${(used += 1)}`;
      const name = leaseNameIn(cluster);
      const put = (object: unknown): Promise<void> => {
        server.leases.force(NAMESPACE, name, object as Readonly<Record<string, unknown>>);
        return Promise.resolve();
      };
      return Promise.resolve({
        open: (clock) => {
          const candidate = candidateAt(server, rulesFor(cluster));
          const store = kubernetesLease({
            namespace: NAMESPACE,
            name,
            access: { kubeconfig: candidate.kubeconfig },
            ttlMs: TTL_MS,
            clock,
            random: Math.random,
            log: keptLog().log,
          });
          candidates.push(candidate);
          stores.push(store);
          return Promise.resolve(store);
        },
        backup: () => Promise.resolve(structuredClone(server.leases.get(NAMESPACE, name).body)),
        restore: put,
        garbage: GARBAGE_OBJECTS,
        put,
      });
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(stores.map((store) => store.close()));
      for (const candidate of candidates) candidate.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

const annotated = (annotations: Record<string, string>, holderIdentity = 'node-x'): Json => ({
  metadata: { annotations },
  spec: { holderIdentity },
});
const sid = 'a'.repeat(32);

/** Leases that people and other programs may leave there. */
const GARBAGE_OBJECTS: readonly Json[] = [
  {},
  { spec: {} },
  // Of client-go's leader election, which knows nothing of our annotations.
  {
    spec: {
      holderIdentity: 'controller-7d9f_0b1c',
      leaseDurationSeconds: 15,
      acquireTime: '2026-01-01T00:00:00.000000Z',
      renewTime: '2026-01-01T00:00:10.000000Z',
      leaseTransitions: 3,
    },
  },
  annotated({ 'tidelock.io/term': '7', 'tidelock.io/beat': '1' }),
  annotated({ 'tidelock.io/term': '7', 'tidelock.io/beat': '1', 'tidelock.io/sid': 'x' }),
  annotated({ 'tidelock.io/term': '-7', 'tidelock.io/beat': '1', 'tidelock.io/sid': sid }),
  annotated({ 'tidelock.io/term': '7.5', 'tidelock.io/beat': '1', 'tidelock.io/sid': sid }),
  annotated({ 'tidelock.io/term': '1e3', 'tidelock.io/beat': '1', 'tidelock.io/sid': sid }),
  annotated({ 'tidelock.io/term': '', 'tidelock.io/beat': '', 'tidelock.io/sid': sid }),
  annotated({ 'tidelock.io/term': '9007199254740993', 'tidelock.io/beat': '0' }, ''),
  annotated({ 'tidelock.io/term': '9007199254740991', 'tidelock.io/beat': '0' }, ''),
  annotated(
    { 'tidelock.io/term': '7', 'tidelock.io/beat': '1', 'tidelock.io/sid': sid },
    'Not_A.Node!',
  ),
];
