// Runs inside a client pod: opens COUNT connections to an echo server, AT a time, and holds them. Then exchanges
// a byte on each that lives, again and again, and prints `{"round","live","errors"}` each time, errors by code.
// Usage: holder.ts ADDRESS PORT COUNT AT
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** One line. */
export interface HolderSays {
  readonly round: number;
  readonly live: number;
  readonly errors: Readonly<Record<string, number>>;
}

const BETWEEN_ROUNDS_MS = 200;

const [address = '', port = '0', count = '0', at = '1'] = process.argv.slice(2);
const live = new Set<Socket>();
const errors: Record<string, number> = {};

/** Whether the socket gets a byte back before it ends. */
async function exchange(socket: Socket): Promise<boolean> {
  const answer = new Promise<boolean>((resolve) => {
    socket.once('data', () => resolve(true)).once('close', () => resolve(false));
  });
  socket.write('x');
  const isAnswered = await answer;
  socket.removeAllListeners('data').resume();
  return isAnswered;
}

async function open(): Promise<void> {
  const socket = connect(Number(port), address);
  socket.on('error', ({ code = 'error' }: NodeJS.ErrnoException) => {
    errors[code] = (errors[code] ?? 0) + 1;
  });
  const connected = once(socket, 'connect').then(
    () => true,
    () => false, // counted above
  );
  if (!(await connected) || !(await exchange(socket))) return;
  live.add(socket);
  socket.once('close', () => live.delete(socket));
}

if (import.meta.main) {
  let started = 0;
  const inTurn = async (): Promise<void> => {
    while (started++ < Number(count)) await open();
  };
  await Promise.all(Array.from({ length: Number(at) }, inTurn));
  for (let round = 1; ; round += 1) {
    await Promise.all([...live].map(exchange));
    const says: HolderSays = { round, live: live.size, errors };
    process.stdout.write(`${JSON.stringify(says)}\n`);
    await pause(BETWEEN_ROUNDS_MS);
  }
}
