// Runs in a client pod: unary calls and one long stream each over two gRPC channels. Usage:
// grpcClient.ts HOST PORT
import { Client, credentials, Metadata, type ClientDuplexStream } from '@grpc/grpc-js';
import { setTimeout as pause } from 'node:timers/promises';
import { ECHO } from './grpcEcho.ts';
import { ANSWER_WITHIN_MS, answered, failed, nameOf, type Connection } from './teller.ts';

const [host = '', port = ''] = process.argv.slice(2);
const CHANNELS = 2;
const PAUSE_MS = 20;
const MESSAGE = Buffer.alloc(2_000, 'm');
/** A call waits for its channel to come back: it fails when it was under way as the channel broke. */
const PATIENTLY = new Metadata({ waitForReady: true });

function call(client: Client): Promise<Buffer | undefined> {
  const { path, requestSerialize, responseDeserialize } = ECHO.unary;
  const options = { deadline: Date.now() + ANSWER_WITHIN_MS };
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      MESSAGE,
      PATIENTLY,
      options,
      (error, answer) => (error ? reject(error) : resolve(answer)),
    );
  });
}

async function calls(client: Client, name: string): Promise<never> {
  for (;;) {
    const connection: Connection = { name, openedAt: Date.now() };
    const sinceMs = performance.now();
    try {
      const answer = await call(client);
      if (answer?.equals(MESSAGE) === true) answered(sinceMs);
      else failed(connection, 'another answer');
    } catch (error) {
      failed(connection, nameOf(error));
    }
    await pause(PAUSE_MS);
  }
}

/** Messages there and back over one stream, until it fails. Errors: any. */
function converse(stream: ClientDuplexStream<Buffer, Buffer>): Promise<never> {
  return new Promise((_, reject) => {
    let sinceMs = 0;
    let overdue: NodeJS.Timeout | undefined;
    const ask = (): void => {
      sinceMs = performance.now();
      overdue = setTimeout(() => stream.destroy(new Error('no answer')), ANSWER_WITHIN_MS);
      stream.write(MESSAGE);
    };
    stream.on('error', reject);
    stream.on('end', () => reject(new Error('ended')));
    stream.on('data', (answer: Buffer) => {
      clearTimeout(overdue);
      if (!answer.equals(MESSAGE)) reject(new Error('another answer'));
      answered(sinceMs);
      setTimeout(ask, PAUSE_MS);
    });
    ask();
  });
}

async function streams(client: Client, name: string): Promise<never> {
  const { path, requestSerialize, responseDeserialize } = ECHO.stream;
  for (;;) {
    const connection: Connection = { name, openedAt: Date.now() };
    const stream = client.makeBidiStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      PATIENTLY,
    );
    await converse(stream).catch((error: unknown) => failed(connection, nameOf(error)));
    stream.destroy();
    await pause(PAUSE_MS);
  }
}

await Promise.all(
  Array.from({ length: CHANNELS }, (_, n) => {
    const client = new Client(`${host}:${port}`, credentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1, // a connection of its own
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 500,
    });
    return Promise.all([calls(client, `channel ${n}`), streams(client, `stream ${n}`)]);
  }),
);
