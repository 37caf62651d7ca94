// The record of the data planes that control planes of one run directory have started and that may
// still run, in a file that only root can write. Who has it open is the only control plane there, by a
// lock of the kernel. What is not in it is nobody's predecessor, whatever it says.
import { closeSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { sleep, type Clock } from '#agent/base/clock.ts';
import { hasCode, messageOf, TidelockError } from '#agent/base/errors.ts';
import type { PlaneSettings } from './control.ts';
import { lockHolder, lockPath } from '#proxy/native/flock.ts';
import type { PlaneLog } from './planeRun.ts';
import { isAlive, type ProcessIdentity } from './processIdentity.ts';

/** One data plane, as the control plane that started it knew it. */
export interface RecordedPlane extends ProcessIdentity {
  /** What it ran when it started (programOf). */
  readonly program: string;
  readonly settings: PlaneSettings;
  /** Its CONTROL_VERSION; absent: one from before it was noted. */
  readonly speaks?: number | undefined;
  /** Which memory it was given (memoryId). */
  readonly replay: string;
  readonly counters: string;
  /** Unix milliseconds at which a retired one is to have ended; absent: it serves. */
  readonly endBy?: number | undefined;
}

const count = z.number().int().min(0);
/** The version after this one may note more. */
const schema = z.object({
  /** Pids and start times are of one boot. */
  boot: z.string(),
  planes: z.array(
    z.object({
      pid: count.min(2),
      startTicks: z.string().regex(/^\d+$/),
      program: z.string(),
      settings: z.object({ workers: count, uid: count, gid: count, build: z.string() }),
      speaks: count.optional(),
      replay: z.string(),
      counters: z.string(),
      endBy: count.optional(),
    }),
  ),
});

const BOOT_ID = '/proc/sys/kernel/random/boot_id';
/** A control plane that was killed a moment ago still holds the lock while the kernel takes it apart. */
const LOCKED_WITHIN_MS = 2000;
const LOOK_EVERY_MS = 20;

interface RecordDeps {
  readonly clock: Clock;
  readonly log: PlaneLog;
}

export class PlaneRecord {
  /** Path of the Unix socket at which a data plane without a control plane is found (door.ts). */
  readonly door: string;
  readonly #file: string;
  #lock: number | undefined;
  readonly #boot = readFileSync(BOOT_ID, 'latin1').trim();
  #planes: readonly RecordedPlane[];

  private constructor(directory: string, lock: number, log: PlaneLog) {
    this.door = join(directory, 'plane.sock');
    this.#file = join(directory, 'planes.json');
    this.#lock = lock;
    this.#planes = this.#read(log);
  }

  /**
   * Opens the record in `directory`, which only root may write to, for the one control plane there.
   * Errors: AGENT_RUNNING while another has it open; those of the file system.
   */
  static async open(directory: string, { clock, log }: RecordDeps): Promise<PlaneRecord> {
    const deadlineMs = clock.monoMs() + LOCKED_WITHIN_MS;
    for (;;) {
      const lock = lockPath(directory);
      if (lock !== undefined) return new PlaneRecord(directory, lock, log);
      if (clock.monoMs() > deadlineMs) throw agentRuns(directory);
      await sleep(clock, LOOK_EVERY_MS);
    }
  }

  /** Those that still run, oldest first. */
  planes(): readonly RecordedPlane[] {
    return this.#planes.filter(isAlive);
  }

  /** Errors: those of the file system; then it is not recorded and must not go on. */
  add(plane: RecordedPlane): void {
    this.#write([...this.planes(), plane]);
  }

  /** Notes that a plane only drains, and until when. Errors: those of the file system. */
  retire(retired: ProcessIdentity, endBy: number): void {
    this.#write(this.planes().map((each) => (isSame(each, retired) ? { ...each, endBy } : each)));
  }

  /** Lets another control plane in. What still runs stays recorded. */
  close(): void {
    if (this.planes().length === 0) rmSync(this.#file, { force: true });
    if (this.#lock !== undefined) closeSync(this.#lock);
    this.#lock = undefined;
  }

  /** A file of an earlier boot, or one that somebody spoilt, names nobody. */
  #read(log: PlaneLog): readonly RecordedPlane[] {
    try {
      const { boot, planes } = schema.parse(JSON.parse(readFileSync(this.#file, 'utf8')));
      return boot === this.#boot ? planes : [];
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) log('error', 'plane.record', { why: messageOf(error) });
      return [];
    }
  }

  /** By renaming: a control plane that is killed meanwhile leaves the old one or the new one. */
  #write(planes: readonly RecordedPlane[]): void {
    const next = `${this.#file}.new`;
    rmSync(next, { force: true });
    writeFileSync(next, JSON.stringify({ boot: this.#boot, planes }), { mode: 0o600, flag: 'wx' });
    renameSync(next, this.#file);
    this.#planes = planes;
  }
}

const isSame = (a: ProcessIdentity, b: ProcessIdentity): boolean =>
  a.pid === b.pid && a.startTicks === b.startTicks;

function agentRuns(directory: string): TidelockError {
  const pid = lockHolder(directory);
  return new TidelockError('AGENT_RUNNING', {
    op: 'plane.record',
    message: `Cannot use run directory ${directory}: ${pid === undefined ? 'another agent' : `process ${pid}`} holds it`,
    hint: 'Stop that agent first, or give this one its own --node and --run-dir.',
  });
}
