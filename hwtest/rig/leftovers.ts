// What rigs have left on this machine, counted from the kernel's own tables and not from anything a
// rig remembers; and its removal, for rigs whose owner is gone. A live rig is never touched.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { run } from '#agent/base/run.ts';
import { cgroupMount, cgroupPids, removeCgroup } from './cgroup.ts';
import { closeJournal, journalExists, readJournals, type Journal } from './journal.ts';
import { mountsUnder, removeDir } from './netns.ts';

/** Where the directories of rigs lie: a short path, because unix sockets in them allow 107 bytes. */
export const RIG_PARENT = '/tmp';

/** Directory and cgroup of a rig carry its id, so that both are found without a journal. */
export const rigName = (id: string): string => `tl${id}`;

const RIG_NAME = /^tl([0-9a-f]{8})$/;

/** Numbers of things found; all zero is clean. */
export interface Leftovers {
  readonly namespaces: number;
  readonly processes: number;
  readonly cgroups: number;
  readonly mounts: number;
  /** nftables tables of ours in the namespace of the machine, where a rig never makes one. */
  readonly rules: number;
  /** Rig directories and journals. */
  readonly files: number;
}

/** Counts what exists of one rig, or, without an id, of all rigs whose owner is gone. */
export async function leftovers(id?: string): Promise<Leftovers> {
  const live = new Set(liveIds());
  const ids = new Set(id === undefined ? knownIds().filter((known) => !live.has(known)) : [id]);
  const mounts = [...ids].flatMap((rig) => mountsUnder(`${RIG_PARENT}/${rigName(rig)}`));
  const names = new Set(mounts.filter(isNetnsMount));
  return {
    namespaces: names.size,
    processes: processesOf(ids).size,
    cgroups: [...ids].filter((rig) => existsSync(cgroupOf(rig))).length,
    mounts: mounts.length - names.size,
    rules: await countTables(),
    files: [...ids].reduce(
      (n, rig) =>
        n + Number(existsSync(`${RIG_PARENT}/${rigName(rig)}`)) + Number(journalExists(rig)),
      0,
    ),
  };
}

export const totalOf = (left: Leftovers): number =>
  Object.values(left).reduce((sum: number, n: number) => sum + n, 0);

/**
 * Removes every rig whose owner no longer runs, and returns their ids.
 * Errors: RIG_REMOVE when a process does not end.
 */
export async function cleanLeftovers(): Promise<string[]> {
  const dead = readJournals().filter(({ live }) => !live);
  for (const { journal } of dead) await removeRig(journal, 0);
  return dead.map(({ journal }) => journal.id);
}

/** Processes first, then what they used; the journal last, so that a rest is found again. */
export async function removeRig(journal: Journal, graceMs: number): Promise<void> {
  await removeCgroup(journal.cgroup, graceMs);
  await removeDir(journal.dir);
  closeJournal(journal.id);
}

/** The cgroup of a rig, directly under the v2 mount. */
export const cgroupOf = (id: string): string =>
  `${cgroupMount() ?? '/sys/fs/cgroup'}/${rigName(id)}`;

const liveIds = (): string[] =>
  readJournals().flatMap(({ journal, live }) => (live ? [journal.id] : []));

/** Ids from journals, directories, cgroups and marked processes alike. */
function knownIds(): string[] {
  const named = [RIG_PARENT, cgroupMount()].flatMap((parent) =>
    parent === undefined
      ? []
      : readdirSync(parent).flatMap((name) => RIG_NAME.exec(name)?.[1] ?? []),
  );
  const journaled = readJournals().map(({ journal }) => journal.id);
  return [...new Set([...named, ...journaled, ...markedProcesses().values()])];
}

function processesOf(ids: ReadonlySet<string>): Set<number> {
  const inGroups = [...ids].flatMap((id) => cgroupPids(cgroupOf(id)));
  const marked = [...markedProcesses()].flatMap(([pid, id]) => (ids.has(id) ? [pid] : []));
  return new Set([...inGroups, ...marked]);
}

/** Processes that carry HWTEST_RIG in their environment: finds those that left their cgroup. */
function markedProcesses(): Map<number, string> {
  const found = new Map<number, string>();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const mark = /(?:^|\0)HWTEST_RIG=([0-9a-f]{8})\0/.exec(
        readFileSync(`/proc/${pid}/environ`, 'latin1'),
      );
      if (mark?.[1] !== undefined) found.set(Number(pid), mark[1]);
    } catch {
      // ended meanwhile
    }
  }
  return found;
}

const isNetnsMount = (point: string): boolean =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .some((line) => line.split(' ')[4] === point && line.includes(' - nsfs '));

async function countTables(): Promise<number> {
  const { stdout } = await run(['nft', 'list', 'tables'], { okCodes: [0, 1] });
  return stdout
    .toString()
    .split('\n')
    .filter((line) => /\btidelock/.test(line)).length;
}
