// Spoils a bus for some seconds with an operator's credentials, run where the bus is reached:
// `saboteur.ts MODE URL CA CREDENTIALS CLUSTER SECONDS [FILE]`. Prints how many messages it sent, or kept.
//   keep      writes every message of the cluster to FILE
//   replay    sends every message in FILE again, as fast as the bus takes them
//   echo      sends everything that it hears once more, up to three seconds late and in another order
//   corrupt   sends each record again with one character changed, in a hundred ways
//   leader    prints the name of the server that leads the stream of records, as soon as one does
//   forge     sends a record after each one, signed by keys of its own, for the term and generation after it
import { createInterface } from 'node:readline';
import { createReadStream, createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { randomBytes, randomInt } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { generateSigningKey } from '#agent/base/asymmetric.ts';
import { b64url } from '#agent/base/bytes.ts';
import { connectionTo } from '#agent/epochs/busAccess.ts';
import { signRecord, type RecordBody } from '#agent/epochs/record.ts';
import { subjectsOf } from '#agent/epochs/subjects.ts';

const LATE_MS = 3000;
const CHANGES = 100;

const [mode = '', url = '', caFile = '', credentials = '', cluster = '', seconds = '0', file = ''] =
  process.argv.slice(2);
const bus = await connect({
  ...connectionTo({
    servers: url.split(','),
    credentialsFile: credentials,
    tls: { caFile },
    inboxPrefix: '_INBOX.saboteur',
  }),
});
const { record, streams } = subjectsOf(cluster);
const ownMessages = new Set<string>();
let sent = 0;

function send(subject: string, data: Uint8Array): void {
  ownMessages.add(keyOf(subject, data));
  bus.publish(subject, data);
  sent += 1;
}

const keyOf = (subject: string, data: Uint8Array): string =>
  `${subject} ${Buffer.from(data).toString('latin1')}`;

/** Calls back for everything that others say on `subject` until the time is up. */
async function hear(subject: string, each: (on: string, data: Uint8Array) => void): Promise<void> {
  const subscription = bus.subscribe(subject, {
    callback: (error, message) => {
      if (error === null && !ownMessages.has(keyOf(message.subject, message.data))) {
        each(message.subject, message.data);
      }
    },
  });
  await pause(Number(seconds) * 1000);
  subscription.unsubscribe();
}

/** One character of it made another. */
function spoiled(data: Uint8Array): Buffer {
  const copy = Buffer.from(data);
  const at = randomInt(copy.length);
  copy[at] = (copy[at] ?? 0) ^ (1 << randomInt(7));
  return copy;
}

function forged(data: Uint8Array, key: ReturnType<typeof generateSigningKey>): Buffer {
  const { payload } = JSON.parse(Buffer.from(data).toString()) as { payload: RecordBody };
  const { term, generation, epoch } = payload;
  const next = { term: term + 1, generation: generation + 1, epoch: epoch + 1 };
  const root = { kind: 'heal' as const, parent: null, rootCommit: randomBytes(32).toString('hex') };
  const body = { ...payload, ...next, ...root, beacon: b64url(randomBytes(32)) };
  return Buffer.from(JSON.stringify(signRecord(body, key)));
}

switch (mode) {
  case 'keep': {
    const out = createWriteStream(file, { mode: 0o600 });
    await hear(`tl.${cluster}.>`, (subject, data) => {
      out.write(`${JSON.stringify([subject, Buffer.from(data).toString('base64')])}\n`);
      sent += 1;
    });
    out.end();
    await once(out, 'close');
    break;
  }
  case 'replay':
    for await (const line of createInterface({ input: createReadStream(file) })) {
      const [subject, data] = JSON.parse(line) as [string, string];
      send(subject, Buffer.from(data, 'base64'));
    }
    break;
  case 'echo':
    await hear(`tl.${cluster}.>`, (subject, data) => {
      const copy = Buffer.from(data);
      setTimeout(() => send(subject, copy), randomInt(LATE_MS));
    });
    await pause(LATE_MS);
    break;
  case 'corrupt':
    await hear(record, (subject, data) => {
      for (let n = 0; n < CHANGES; n += 1) send(subject, spoiled(data));
    });
    break;
  case 'leader': {
    const manager = await jetstreamManager(bus);
    for (let leader: string | undefined; leader === undefined; await pause(500)) {
      leader = await manager.streams.info(streams.record).then(
        ({ cluster: group }) => group?.leader,
        () => undefined, // nobody leads
      );
      if (leader !== undefined) process.stdout.write(`${leader}\n`);
    }
    await bus.close();
    process.exit();
    break;
  }
  case 'forge': {
    const key = generateSigningKey();
    await hear(record, (subject, data) => send(subject, forged(data, key)));
    break;
  }
  default:
    throw new RangeError(`no mode ${mode}`);
}
await bus.drain();
process.stdout.write(`${sent}\n`);
