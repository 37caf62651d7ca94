// `tidelock doctor` and `tidelock uninstall` as an operator runs them on a node of a rig, and the ways
// to take something away from that one command: a mount namespace, a PATH, a clock.
import { mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { State } from '#agent/doctor/check.ts';
import type { Argv } from '#hwtest/rig/program.ts';
import type { RigNode } from '#hwtest/rig/rig.ts';
import { WITH_TRACEFS } from '#hwtest/rig/tracefs.ts';
import type { TwoNodes } from './twoNodes.ts';

const REPOSITORY = `${import.meta.dirname}/../..`;
const MAIN = `${REPOSITORY}/agent/main.ts`;
const ANY_CODE = Array.from({ length: 256 }, (_, code) => code);

/** What the command finds different from the node it runs on. */
export interface Lacking {
  readonly tracefs?: boolean;
  /** A program that is not on its PATH. */
  readonly program?: string;
  /** Its wall clock is 20 s ahead (clockAhead.ts). */
  readonly clock?: boolean;
}

export interface Finding {
  readonly id: string;
  readonly state: State;
  readonly observed: string;
  readonly cause?: string;
  readonly remedy?: string;
}

export interface Diagnosis {
  readonly exit: number;
  readonly checks: readonly Finding[];
  /** Errors: RangeError for an id that is not there. */
  check(id: string): Finding;
  /** What an operator sees: the command is run once more. */
  text(): Promise<string>;
}

/** The argument vector of a verb in a mount namespace of its own, with tracefs or without. */
export function verbArgv(args: readonly string[], lacking: Lacking = {}): Argv {
  const clock = lacking.clock === true ? ['--import', `${import.meta.dirname}/clockAhead.ts`] : [];
  const mounts = lacking.tracefs === true ? WITHOUT_TRACEFS : WITH_TRACEFS;
  return [...mounts, process.execPath, ...clock, MAIN, ...args];
}

const WITHOUT_TRACEFS: Argv = [
  'unshare',
  '--mount',
  'sh',
  '-c',
  'umount -lq /sys/kernel/tracing; umount -lq /sys/kernel/debug; exec "$@"',
  'sh',
];

/** Runs doctor on `node`. */
export async function diagnose(
  both: TwoNodes,
  node: RigNode,
  lacking: Lacking = {},
): Promise<Diagnosis> {
  const env = lacking.program === undefined ? {} : { PATH: pathWithout(both, lacking.program) };
  const doctor = (...more: string[]) =>
    both.rig.exec(
      node,
      verbArgv(['doctor', '--config', `${node.dir}/config.json`, ...more], lacking),
      { okCodes: ANY_CODE, timeoutMs: 60_000, env },
    );
  const json = await doctor('-o', 'json');
  const { checks } = JSON.parse(json.stdout.toString()) as { checks: readonly Finding[] };
  return {
    exit: json.code,
    checks,
    check: (id) => {
      const found = checks.find((each) => each.id === id);
      if (found === undefined) throw new RangeError(`no check ${id}`);
      return found;
    },
    text: async () => (await doctor('-o', 'table')).stdout.toString(),
  };
}

/** A directory with every program of the PATH but one. */
function pathWithout({ rig }: TwoNodes, program: string): string {
  const dir = join(rig.dir, `without-${program}`);
  mkdirSync(dir, { recursive: true });
  const there = new Set([...readdirSync(dir), program]);
  for (const from of (process.env['PATH'] ?? '').split(delimiter).filter(Boolean)) {
    for (const name of entriesOf(from)) {
      if (!there.has(name)) symlinkSync(join(from, name), join(dir, name));
      there.add(name);
    }
  }
  return dir;
}

function entriesOf(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return []; // a PATH may name what is not there
  }
}
