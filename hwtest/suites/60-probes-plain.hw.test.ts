// Where plaintext is let in, what a pod answers is no bypass and uses up nothing of what bypasses may
// print: a real one is told at once among thousands of answers.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from '#agent/base/run.ts';
import { loadRules } from '#proxy/redirect/nftables.ts';
import { BY_DEFAULT } from '#proxy/redirect/plaintext.fixture.ts';
import { frameOf, FLAGS, IPV4, OUTSIDE4, POD4, sendFrame } from './frames.ts';
import { inside, probedPod, WHERE, type ProbedPod } from './probedPod.ts';

const CONNECTIONS = 100;
const PORT = 7_300;

let place: ProbedPod;
beforeAll(async () => {
  place = await probedPod('tlq', { inbound: 'plain' });
}, 120_000);
afterAll(async () => {
  await place?.[Symbol.asyncDispose]();
});

test.each([
  { rules: 'stand', stand: true, port: 7_301 },
  { rules: 'are gone', stand: false, port: 7_311 },
])('answers are no bypass and take no room of one, where rules $rules', async ({ stand, port }) => {
  const rules = await loadRules(run, {
    netnsPath: place.netnsPath,
    plaintext: { ...BY_DEFAULT, inbound: 'plain' },
  });
  if (!stand) await rules.remove();
  const server = await place.listen(PORT);
  try {
    const before = place.seen.length;
    const ask = `i=0; while [ $i -lt ${CONNECTIONS} ]; do echo x > /dev/tcp/${POD4}/${PORT}; i=$((i+1)); done`;
    await run(inside(place.outside, 'bash', '-c', ask));
    const frame = (flags: number, to: number): Buffer =>
      frameOf({ ...IPV4, flags }, to, place.podMac, place.outsideMac);
    await sendFrame(place.pod, 'eth0', frame(FLAGS.syn, port));
    // A packet socket that plays an answer is none.
    await sendFrame(place.pod, 'eth0', frame(FLAGS.syn | FLAGS.ack, port + 1));
    for (const to of [port, port + 1]) {
      const { event } = await place.event('bypass', ({ remote }) => remote.port === to);
      expect(event).toMatchObject({ where: WHERE, raw: true, remote: { address: OUTSIDE4 } });
    }
    expect(place.seen.slice(before).filter(({ kind }) => kind === 'bypass')).toHaveLength(2);
    expect(place.probes.bypasses()[0]?.untold).toBe(0);
  } finally {
    server.kill('SIGKILL');
    await rules.remove();
  }
});
