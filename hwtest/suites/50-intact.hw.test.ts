import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hex, sha256 } from '#agent/base/bytes.ts';
import { waitListening } from '#hwtest/rig/program.ts';
import { pod, twoNodes, type TwoNodes } from './twoNodes.ts';

const ECHO_PORT = 7;
const here = import.meta.dirname;

let both: TwoNodes;
beforeAll(async () => {
  both = await twoNodes({
    pods: [
      pod('client', 'node-a', 'client'),
      pod('server', 'node-b', 'server'),
      pod('near', 'node-a', 'server'),
    ],
  });
  for (const name of ['server', 'near']) {
    const argv = [process.execPath, `${here}/echo.ts`, String(ECHO_PORT)] as const;
    await waitListening(both.rig.spawn(both.rig.pod(name), argv, { name: 'echo' }), ECHO_PORT);
  }
}, 400_000);
afterAll(async () => {
  await both?.[Symbol.asyncDispose]();
});

describe.each(['server', 'near'])('a program that talks to %s', (server) => {
  test.each([1, 1_000, 65_537, 50_000_000])(
    'gets its %i bytes back as it sent them',
    async (length) => {
      const { rig } = both;
      const file = `${rig.pod('client').dir}/bytes`;
      const bytes = randomBytes(length);
      writeFileSync(file, bytes);
      // nc half-closes after the file: the echo can only end if the half-close arrives as one.
      const script = `nc.openbsd -N ${rig.pod(server).address} ${ECHO_PORT} < ${file} | sha256sum`;
      const { stdout } = await both.exec('client', ['sh', '-c', script], 120_000);
      expect(stdout.toString().slice(0, 64)).toBe(hex(sha256(bytes)));
    },
  );
});
