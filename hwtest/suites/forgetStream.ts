// Has the bus lose what a stream holds: `forgetStream.ts URL SEED_FILE STREAM`, run where the bus is reached.
import { readFileSync } from 'node:fs';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect, nkeyAuthenticator } from '@nats-io/transport-node';

const [url = '', seedFile = '', stream = ''] = process.argv.slice(2);
const connection = await connect({
  servers: url,
  authenticator: nkeyAuthenticator(readFileSync(seedFile)),
});
const { purged } = await (await jetstreamManager(connection)).streams.purge(stream);
process.stdout.write(`${purged}\n`);
await connection.close();
