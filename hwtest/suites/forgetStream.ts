// Has the bus lose what a stream holds: `forgetStream.ts URL CA CREDENTIALS STREAM`, run where the bus is reached.
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { connectionTo } from '#agent/epochs/busAccess.ts';

const [url = '', caFile = '', credentials = '', stream = ''] = process.argv.slice(2);
const connection = await connect({
  ...connectionTo({
    servers: url.split(','),
    credentialsFile: credentials,
    tls: { caFile },
    inboxPrefix: '_INBOX.forget',
  }),
});
const { purged } = await (await jetstreamManager(connection)).streams.purge(stream);
process.stdout.write(`${purged}\n`);
await connection.close();
