// What is known of a rig in the background: one folder a name, with the keeper's log and one document
// that is whole or not there. It starts and ends nothing.
import { mkdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { z } from 'zod';

/** Root only, and gone with a reboot, as the rigs are. */
const PARENT = '/run/tidelock-ci';

const place = { netns: z.string(), cgroup: z.string(), address: z.string() };

const factsSchema = z.object({
  id: z.string(),
  bus: z.object({ url: z.string(), ca: z.string(), credentials: z.string() }),
  owner: z.string(),
  ekRoots: z.string(),
  nodes: z.array(
    z.object({
      name: z.string(),
      ...place,
      socket: z.string(),
      config: z.string(),
      tcti: z.string(),
      eventLog: z.string(),
      log: z.string(),
    }),
  ),
  pods: z.array(z.object({ name: z.string(), node: z.string(), ...place })),
});

/** A rig that is up: names, addresses, and paths on this machine. */
export type Facts = z.output<typeof factsSchema>;

const stateSchema = z.object({
  keeper: z.object({ pid: z.int().positive(), startTicks: z.string(), bootId: z.string() }),
  phase: z.enum(['building', 'up', 'failed']),
  /** Why it failed. */
  problem: z.object({ message: z.string(), hint: z.string() }).optional(),
  facts: factsSchema.optional(),
});

export type State = z.output<typeof stateSchema>;

const folderOf = (name: string): string => `${PARENT}/${name}`;
export const logOf = (name: string): string => `${folderOf(name)}/keeper.log`;
const fileOf = (name: string): string => `${folderOf(name)}/state.json`;

/** Takes the name; false when it is taken. */
export function claim(name: string): boolean {
  mkdirSync(PARENT, { recursive: true, mode: 0o700 });
  try {
    mkdirSync(folderOf(name), { mode: 0o700 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Replaces what is known of the rig. */
export function writeState(name: string, state: State): void {
  const draft = `${fileOf(name)}.new`;
  writeFileSync(draft, JSON.stringify(state), { mode: 0o600 });
  renameSync(draft, fileOf(name));
}

/** Undefined when there is none, or none yet. */
export function readState(name: string): State | undefined {
  try {
    return stateSchema.parse(JSON.parse(readFileSync(fileOf(name), 'utf8')));
  } catch {
    return undefined;
  }
}

/** Forgets the rig, and the parent folder with the last one. */
export function removeState(name: string): void {
  rmSync(folderOf(name), { recursive: true, force: true });
  try {
    rmdirSync(PARENT);
  } catch {
    // others have theirs in it, or it is gone
  }
}
