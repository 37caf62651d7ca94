// Runs in a client pod: documents of nginx over connections that are kept, and over new ones. Usage:
// httpClient.ts HOST PORT
import { Agent, get, type ClientRequest } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { DOCUMENT_SIZES } from '#hwtest/rig/servers.ts';
import { ANSWER_WITHIN_MS, answered, failed, nameOf, type Connection } from './teller.ts';

const [host = '', port = ''] = process.argv.slice(2);
const KEPT = 6;
const NEW = 2;
const PAUSE_MS = 20;
/** Every so many requests a larger document. */
const LARGER_EVERY = 25;

/** Asks for a document and reads all of it. Errors: any. */
const fetchDocument = (size: number, agent: Agent | false, seen: (of: ClientRequest) => void) =>
  new Promise<void>((resolve, reject) => {
    const request = get({ host, port, path: `/${size}`, agent, timeout: ANSWER_WITHIN_MS });
    request.on('socket', () => seen(request));
    request.on('timeout', () => request.destroy(new Error('no answer')));
    request.on('error', reject);
    request.on('response', (response) => {
      let length = 0;
      response.on('data', (bytes: Buffer) => (length += bytes.length));
      response.on('error', reject);
      response.on('end', () => {
        const { statusCode } = response;
        if (statusCode === 200 && length === size) resolve();
        else reject(new Error(`status ${statusCode}, ${length} of ${size} bytes`));
      });
    });
  });

async function ask(name: string, agent: Agent | false): Promise<never> {
  let connection: Connection = { name, openedAt: Date.now() };
  const seen = ({ reusedSocket }: ClientRequest): void => {
    if (!reusedSocket) connection = { name, openedAt: Date.now() };
  };
  for (let n = 1; ; n += 1) {
    const rank = n % LARGER_EVERY === 0 ? (n / LARGER_EVERY) % DOCUMENT_SIZES.length : 0;
    const sinceMs = performance.now();
    try {
      await fetchDocument(DOCUMENT_SIZES[rank] ?? 0, agent, seen);
      answered(sinceMs);
    } catch (error) {
      failed(connection, nameOf(error));
    }
    await pause(PAUSE_MS);
  }
}

await Promise.all([
  ...Array.from({ length: KEPT }, (_, n) =>
    ask(`kept ${n}`, new Agent({ keepAlive: true, maxSockets: 1 })),
  ),
  ...Array.from({ length: NEW }, (_, n) => ask(`new ${n}`, false)),
]);
