// Runs in a client pod: messages there and back over WebSocket connections that stay open. Usage:
// webSocketClient.ts HOST PORT
import { setTimeout as pause } from 'node:timers/promises';
import { ANSWER_WITHIN_MS, answered, failed, nameOf, type Connection } from './teller.ts';

const [host = '', port = ''] = process.argv.slice(2);
const CONNECTIONS = 3;
const PAUSE_MS = 20;
const MESSAGE = 'w'.repeat(1_500);

/** Messages over one connection, until it fails. Errors: any. */
function converse(socket: WebSocket): Promise<never> {
  return new Promise((_, reject) => {
    let sinceMs = 0;
    let overdue: NodeJS.Timeout | undefined;
    const ask = (): void => {
      sinceMs = performance.now();
      overdue = setTimeout(() => reject(new Error('no answer')), ANSWER_WITHIN_MS);
      socket.send(MESSAGE);
    };
    socket.addEventListener('open', ask);
    socket.addEventListener('close', ({ code }) => reject(new Error(`closed with ${code}`)));
    socket.addEventListener('error', () => reject(new Error('broken')));
    socket.addEventListener('message', ({ data }) => {
      clearTimeout(overdue);
      if (data !== MESSAGE) reject(new Error('another answer'));
      answered(sinceMs);
      setTimeout(ask, PAUSE_MS);
    });
  });
}

async function persist(name: string): Promise<never> {
  for (;;) {
    const connection: Connection = { name, openedAt: Date.now() };
    const socket = new WebSocket(`ws://${host}:${port}/`);
    await converse(socket).catch((error: unknown) => failed(connection, nameOf(error)));
    socket.close();
    await pause(PAUSE_MS);
  }
}

await Promise.all(Array.from({ length: CONNECTIONS }, (_, n) => persist(`socket ${n}`)));
