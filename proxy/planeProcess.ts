// A process of the data plane as an operating-system process: started here, or found running. Both
// look the same to planeRun.ts, which speaks with it.
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Clock } from '#agent/base/clock.ts';
import { messageOf } from '#agent/base/errors.ts';
import { closeFd } from '#proxy/native/fd.ts';
import { forceSendBuffer, socketPair } from '#proxy/native/socket.ts';
import { bindUnix } from '#proxy/native/unix.ts';
import type { Predecessor } from './predecessor.ts';
import { isAlive, killProcess } from './processIdentity.ts';
import type { ReplaySet } from './replay.ts';
import type { Counters } from './counters.ts';

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
  /** Path of the Unix socket at which a later control plane finds the process (door.ts). */
  readonly door: string;
  readonly replay: ReplaySet;
  readonly counters: Counters;
}

const FD_QUEUE_BYTES = 8 << 20;
const LOOK_EVERY_MS = 20;

/** Starts a process with the descriptors of PLANE_FDS, on what it needs to read and no more. */
export function spawnPlane(options: SpawnOptions): PlaneProcess {
  const [channel, theirChannel] = socketPair('stream');
  const [fdSocket, theirFds] = socketPair('seqpacket');
  const theirs = [theirChannel, theirFds];
  const { replay, counters } = options;
  try {
    forceSendBuffer(fdSocket, FD_QUEUE_BYTES);
    rmSync(options.door, { force: true }); // of the process before, which has ended or drains
    const door = bindUnix(options.door);
    theirs.push(door);
    const child = spawn(options.nodePath, argumentsFor(options), {
      cwd: folderOf(options),
      env: {},
      stdio: ['ignore', 'ignore', 'pipe', theirChannel, theirFds, replay.fd, counters.fd, door],
    });
    return {
      pid: child.pid ?? 0,
      channel: new Socket({ fd: channel }),
      fdSocket,
      words: child.stderr,
      ended: new Promise((resolve) => {
        child.once('error', (error) => resolve(messageOf(error)));
        child.once('close', (code, signal) =>
          resolve(`ended with ${signal ?? `exit code ${code}`}`),
        );
      }),
      kill: () => void child.kill('SIGKILL'),
    };
  } catch (error) {
    [channel, fdSocket].forEach(closeFd);
    throw error;
  } finally {
    theirs.forEach(closeFd);
  }
}

/** The process that findPredecessor() found; its ends belong to the result. */
export function adoptPlane({ identity, ends }: Predecessor, clock: Clock): PlaneProcess {
  const channel = new Socket({ fd: ends.channel });
  const words = new Socket({ fd: ends.words });
  forceSendBuffer(ends.fds, FD_QUEUE_BYTES);
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

const folderOf = ({ appFolder }: SpawnOptions): string =>
  appFolder ?? fileURLToPath(new URL('..', import.meta.url));

const argumentsFor = (options: SpawnOptions): string[] => [
  '--permission',
  '--allow-net',
  '--allow-addons',
  '--allow-worker',
  `--allow-fs-read=${folderOf(options)}`,
  '--disable-warning=SecurityWarning', // that addons and network are allowed is decided here
  '--disable-warning=ExperimentalWarning',
  options.mainPath ?? fileURLToPath(new URL('./main.ts', import.meta.url)),
];
