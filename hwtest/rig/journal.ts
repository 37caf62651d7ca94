// The journal of a rig: written before anything is created, removed after everything is gone. All
// that a rig makes hangs on two roots (a directory with its files and namespace mounts, a cgroup
// with its processes), so those and the owner are all that a later start needs to know.
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { z } from 'zod';
import { isAlive, processOf } from './owner.ts';

/** Where journals lie: root only, and gone with a reboot, as namespaces and processes are. */
export const JOURNAL_DIR = '/run/tidelock-rig';

const journalSchema = z.object({
  v: z.literal(1),
  id: z.string().regex(/^[0-9a-f]{8}$/),
  owner: z.object({ pid: z.int().positive(), startTicks: z.string(), bootId: z.string() }),
  dir: z.string().startsWith('/'),
  cgroup: z.string().startsWith('/'),
});

export type Journal = z.infer<typeof journalSchema>;

/** Records a rig of the calling process, before its first effect. */
export function openJournal(rig: Pick<Journal, 'id' | 'dir' | 'cgroup'>): Journal {
  const owner = processOf(process.pid);
  if (owner === undefined) throw new Error('/proc does not show this process');
  const journal: Journal = { v: 1, ...rig, owner };
  const draft = `${pathOf(rig.id)}.new`;
  for (let attempt = 1; ; attempt += 1) {
    try {
      mkdirSync(JOURNAL_DIR, { recursive: true, mode: 0o700 });
      writeFileSync(draft, `${JSON.stringify(journal)}\n`, { mode: 0o600 });
      break;
    } catch (cause) {
      if (attempt === 3) throw cause; // else: the last other rig took the directory with it
    }
  }
  renameSync(draft, pathOf(rig.id)); // whole or not at all
  return journal;
}

export const journalExists = (id: string): boolean => fileNames().includes(`${id}.json`);

/** The last step of removing a rig; also drops the directory when no other rig is left. */
export function closeJournal(id: string): void {
  rmSync(pathOf(id), { force: true });
  rmSync(`${pathOf(id)}.new`, { force: true });
  try {
    rmdirSync(JOURNAL_DIR);
  } catch {
    // other rigs have theirs in it, or the last of them was faster
  }
}

/** Every rig on this machine, and whether its owner still runs. */
export const readJournals = (): { readonly journal: Journal; readonly live: boolean }[] =>
  fileNames().flatMap((name) => {
    const parsed = journalSchema.safeParse(readJson(`${JOURNAL_DIR}/${name}`));
    return parsed.success ? [{ journal: parsed.data, live: isAlive(parsed.data.owner) }] : [];
  });

const pathOf = (id: string): string => `${JOURNAL_DIR}/${id}.json`;

function fileNames(): string[] {
  try {
    return readdirSync(JOURNAL_DIR);
  } catch {
    return []; // no rig was ever made, or the last one is gone
  }
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined; // removed meanwhile by its owner, or not ours
  }
}
