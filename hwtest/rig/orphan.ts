// A process that builds a rig, prints its id and waits to be killed: what rig.hw.test.ts cleans up.
import { createRig } from './rig.ts';
import { startNginx } from './servers.ts';

const rig = await createRig({
  nodes: ['node-a'],
  pods: [{ name: 'web', node: 'node-a', namespace: 'demo', serviceAccount: 'web' }],
});
const web = rig.pod('web');
await startNginx(web.place, `${web.dir}/nginx`, 'unused');
process.stdout.write(`${rig.id}\n`);
setInterval(() => undefined, 60_000);
