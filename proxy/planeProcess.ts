// A process of the data plane as an operating-system process: started here, or found running. Both
// look the same to planeRun.ts, which speaks with it.
import { spawn, type ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Clock } from '#agent/base/clock.ts';
import { messageOf } from '#agent/base/errors.ts';
import { USUAL, withPriority } from '#agent/base/priority.ts';
import { closeFd } from '#proxy/native/fd.ts';
import { memoryId } from '#proxy/native/memfd.ts';
import { forceSendBuffer, socketPair } from '#proxy/native/socket.ts';
import { bindUnix } from '#proxy/native/unix.ts';
import type { Predecessor } from './predecessor.ts';
import type { PlaneRecord } from './planeRecord.ts';
import { identify, isAlive, killProcess, programOf } from './processIdentity.ts';
import { APP_FOLDER } from './program.ts';
import type { ReplaySet } from './replay.ts';
import type { Counters } from './counters.ts';
import { CONTROL_VERSION, type PlaneSettings } from './control.ts';

export interface PlaneProcess {
  readonly pid: number;
  /** Messages of channel.ts, both ways. */
  readonly channel: Socket;
  /** Descriptors for it, as fdpass.ts sends them. */
  readonly fdSocket: number;
  /** What it writes to its standard error. */
  readonly words: Readable | null;
  /** How it ended, in words; never rejects. */
  readonly ended: Promise<string>;
  kill(): void;
}

export interface SpawnOptions {
  /** The Node binary, and the folder it may read: the checkout or bundle with its node_modules. */
  readonly nodePath: string;
  readonly appFolder?: string;
  /** Another main module than proxy/main.ts, for tests. */
  readonly mainPath?: string;
  /** Of this run directory; what is started is noted there before it is told anything. */
  readonly record: PlaneRecord;
  readonly settings: PlaneSettings;
  readonly replay: ReplaySet;
  readonly counters: Counters;
  readonly clock: Clock;
}

/** Descriptors that may wait unread count as so many bytes. */
export const FD_QUEUE_BYTES = 8 << 20;
/**
 * A semi-space of each thread to begin with, MiB: V8's own 1 MiB is collected every thousand frames or so, and
 * those stops of 0.3 ms were the slowest hundredth of all round trips (docs/decisions/0010).
 */
const SEMI_SPACE_MB = 4;
/**
 * V8 forgets code that was not run through some collections, and a heap that is idle is collected: after two quiet
 * minutes a connection cost twice as much, until tens of thousands had been made (docs/decisions/0010).
 */
const STAYS_WARM = ['--no-flush-bytecode', '--no-memory-reducer'];
const LOOK_EVERY_MS = 20;
/** Its last words have come by then, or somebody else holds the pipe they came by. */
const WORDS_WITHIN_MS = 500;

/** Starts a process with the descriptors of PLANE_FDS, on what it needs to read and no more. */
export function spawnPlane(options: SpawnOptions): PlaneProcess {
  const [channel, theirChannel] = socketPair('stream');
  const [fdSocket, theirFds] = socketPair('seqpacket');
  const theirs = [theirChannel, theirFds];
  const { replay, counters, record, clock } = options;
  try {
    forceSendBuffer(fdSocket, FD_QUEUE_BYTES);
    rmSync(record.door, { force: true }); // of the process before, which has ended or drains
    const door = bindUnix(record.door);
    theirs.push(door);
    const child = withPriority(USUAL, () =>
      spawn(options.nodePath, argumentsFor(options), {
        cwd: folderOf(options),
        env: {},
        stdio: ['ignore', 'ignore', 'pipe', theirChannel, theirFds, replay.fd, counters.fd, door],
      }),
    );
    note(child, options);
    return {
      pid: child.pid ?? 0,
      channel: new Socket({ fd: channel }),
      fdSocket,
      words: child.stderr,
      ended: endOf(child, clock),
      kill: () => void child.kill('SIGKILL'),
    };
  } catch (error) {
    [channel, fdSocket].forEach(closeFd);
    throw error;
  } finally {
    theirs.forEach(closeFd);
  }
}

/** Records it, unless it ended at once. Errors: those of the file system; then it is ended. */
function note(child: ChildProcess, { record, settings, replay, counters }: SpawnOptions): void {
  const { pid = 0 } = child;
  const [identity, program] = [identify(pid), programOf(pid)];
  if (identity === undefined || program === undefined) return;
  try {
    const memory = { replay: sealed(replay.fd), counters: sealed(counters.fd) };
    record.add({ ...identity, program, settings, speaks: CONTROL_VERSION, ...memory });
  } catch (error) {
    child.once('error', () => undefined).kill('SIGKILL');
    throw error;
  }
}

const sealed = (fd: number): string => {
  const id = memoryId(fd);
  if (id === undefined) throw new RangeError('the memory of a data plane must be sealed');
  return id;
};

async function endOf(child: ChildProcess, clock: Clock): Promise<string> {
  const how = await new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(messageOf(error)));
    child.once('exit', (code, signal) => resolve(`ended with ${signal ?? `exit code ${code}`}`));
  });
  const { stderr } = child;
  if (stderr?.closed === false) {
    await new Promise<void>((resolve) => {
      stderr.once('close', resolve);
      clock.after(WORDS_WITHIN_MS, resolve);
    });
    stderr.destroy();
  }
  return how;
}

/** The process that findPredecessor() found; its ends belong to the result. */
export function adoptPlane({ identity, ends }: Predecessor, clock: Clock): PlaneProcess {
  const channel = new Socket({ fd: ends.channel });
  const words = new Socket({ fd: ends.words });
  words.on('error', () => undefined);
  // It is nobody's child: that it ended shows in its channel first, then in /proc.
  const ended = new Promise<string>((resolve) => {
    const look = (): void => {
      if (isAlive(identity)) clock.after(LOOK_EVERY_MS, look);
      else clock.after(LOOK_EVERY_MS, () => resolve('ended')); // its last words are read by then
    };
    channel.once('close', look);
  });
  void ended.then(() => words.destroy());
  return {
    pid: identity.pid,
    channel,
    fdSocket: ends.fds,
    words,
    ended,
    kill: () => {
      killProcess(identity);
      channel.destroy(); // should another process hold its other end
    },
  };
}

const folderOf = ({ appFolder }: SpawnOptions): string => appFolder ?? APP_FOLDER;

const argumentsFor = (options: SpawnOptions): string[] => [
  '--permission',
  '--allow-net',
  '--allow-addons',
  '--allow-worker',
  `--min-semi-space-size=${SEMI_SPACE_MB}`,
  ...STAYS_WARM,
  `--allow-fs-read=${folderOf(options)}`,
  '--disable-warning=SecurityWarning', // that addons and network are allowed is decided here
  '--disable-warning=ExperimentalWarning',
  options.mainPath ?? fileURLToPath(new URL('./main.ts', import.meta.url)),
];
