// A process for takeOver.hw.test.ts that stands behind a door as a data plane does and gives what it
// should not. It runs as root with no limits: it is to be found out before that is looked at.
import { openSync } from 'node:fs';
import { openDoor, type Legacy } from './door.ts';
import { createMemfd } from '#proxy/native/memfd.ts';
import { socketPair, tcpListener, tcpSocket } from '#proxy/native/socket.ts';
import { bindUnix } from '#proxy/native/unix.ts';

const memory = (): number => createMemfd('lie', 4096);

/** By its second argument: what it gives. */
const LIES = {
  nothing: () => undefined,
  'no memory': () => ({ replay: openSync('/dev/null', 'r'), counters: memory(), listeners: [] }),
  'other memory': () => ({ replay: memory(), counters: memory(), listeners: [] }),
  'a file': () => honest([openSync('/dev/null', 'r')]),
  'an unconnected socket': () => honest([tcpSocket(4)]),
  'a Unix socket': () => honest([...socketPair('stream')]),
  'listeners and a file': () => honest([tcpListener('127.0.0.1', 0), openSync('/dev/null', 'r')]),
} as const satisfies Record<string, () => Legacy | undefined>;

/** What a door can be given that is no legacy. */
export type Lie = keyof typeof LIES;

const honest = (listeners: readonly number[]): Legacy => ({
  replay: memory(),
  counters: memory(),
  listeners,
});

if (import.meta.main) {
  const [door = '', lie = ''] = process.argv.slice(2);
  openDoor(bindUnix(door), { legacy: LIES[lie as Lie], entered: () => undefined });
  process.stdout.write('ready\n');
}
