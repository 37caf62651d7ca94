// Finding a pod's namespace while the main thread is inside it, as it is whenever it makes sockets there.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { run } from '#agent/base/run.ts';
import { openNetns, withNetns } from '#proxy/native/netns.ts';
import { resolveNetns } from './netns.ts';

const NAME = `tli${process.pid}`;
const path = `/run/netns/${NAME}`;

beforeAll(async () => {
  await run(['ip', 'netns', 'add', NAME]);
});
afterAll(async () => {
  await run(['ip', 'netns', 'delete', NAME]);
});

it('resolveNetns() knows a pod from the node while the main thread is inside the pod', async () => {
  const netns = openNetns(path);
  try {
    for (let round = 0; round < 20; round += 1) {
      const found = resolveNetns({ kind: 'netns', path });
      // The pool's threads look while this one is inside; which of the two looks it is varies.
      for (let turn = 0; turn < round % 5; turn += 1) await new Promise(setImmediate);
      withNetns(netns, () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10));
      expect(await found).toMatchObject({ path, id: expect.stringMatching(/^\d+:\d+$/) });
    }
  } finally {
    netns.close();
  }
});
