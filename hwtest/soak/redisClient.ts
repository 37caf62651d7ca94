// Runs in a client pod: pipelines of commands to redis-server over connections that stay open, each
// answer held to the byte. Usage: redisClient.ts HOST PORT
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { ANSWER_WITHIN_MS, answered, failed, nameOf, type Connection } from './teller.ts';

const [host = '', port = ''] = process.argv.slice(2);
const CONNECTIONS = 3;
const PIPELINE = 16;
const VALUE = 'v'.repeat(4_096);
const PAUSE_MS = 20;

/** Pipelines over one connection, until it fails. Errors: any. */
function converse(connection: Connection): Promise<never> {
  return new Promise((_, reject) => {
    const key = `${connection.name} ${connection.openedAt}`.replaceAll(' ', ':');
    const socket = connect({ host, port: Number(port), noDelay: true });
    let counted = 0;
    let expected = '';
    let heard = '';
    let sinceMs = 0;
    const ask = (): void => {
      const counts = Array.from({ length: PIPELINE }, (_each, n) => `:${counted + n + 1}\r\n`);
      counted += PIPELINE;
      expected = `${counts.join('')}$${VALUE.length}\r\n${VALUE}\r\n`;
      heard = '';
      sinceMs = performance.now();
      socket.write(`${`INCR ${key}\r\n`.repeat(PIPELINE)}ECHO ${VALUE}\r\n`);
    };
    socket.setTimeout(ANSWER_WITHIN_MS, () => socket.destroy(new Error('no answer')));
    socket.on('connect', ask);
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('closed')));
    socket.on('data', (bytes: Buffer) => {
      heard += bytes.toString('latin1');
      if (heard === expected) {
        answered(sinceMs);
        setTimeout(ask, PAUSE_MS);
      } else if (!expected.startsWith(heard)) {
        socket.destroy(new Error(`another answer: ${JSON.stringify(heard.slice(0, 80))}`));
      }
    });
  });
}

async function persist(name: string): Promise<never> {
  for (;;) {
    const connection = { name, openedAt: Date.now() };
    await converse(connection).catch((error: unknown) => failed(connection, nameOf(error)));
    await pause(PAUSE_MS);
  }
}

await Promise.all(Array.from({ length: CONNECTIONS }, (_, n) => persist(`pipeline ${n}`)));
