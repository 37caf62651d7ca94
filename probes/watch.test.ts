import { expect, test } from 'vitest';
import type { ProbedPod } from './naming.ts';
import { settled, StepClock } from './tracer.fixture.ts';
import { Watch } from './watch.ts';

const pod = (netnsInode: number, captured = true): ProbedPod => ({
  uid: `u${netnsInode}`,
  namespace: 'n',
  name: `p${netnsInode}`,
  netnsInode,
  netnsPath: `/netns/${netnsInode}`,
  captured,
});

function watching(): { watch: Watch; clock: StepClock; pods: ProbedPod[]; entered: string[] } {
  const clock = new StepClock();
  const pods: ProbedPod[] = [];
  const entered: string[] = [];
  const watch = new Watch({
    pods: () => pods,
    clock,
    run: async ([, net = '']) => {
      entered.push(net.slice('--net=/netns/'.length));
      if (net.endsWith('404')) throw new RangeError('that namespace is gone');
      return { code: 0, stdout: Buffer.alloc(0), stderr: '' };
    },
  });
  return { watch, clock, pods, entered };
}

const missing = (watch: Watch): number[] => watch.missing().map(({ netnsInode }) => netnsInode);

test('Watch enters captured pods that the tracer does not know, and no others', async () => {
  const { watch, pods, entered } = watching();
  pods.push(pod(1), pod(2), pod(3, false));
  watch.learned(2, 1);
  expect(missing(watch)).toEqual([1]);
  watch.tick();
  await settled();
  expect(entered).toEqual(['1']);
  watch.learned(1, 1);
  expect(missing(watch)).toEqual([]);
});

test('Watch tries again after 5 s, past one that cannot be entered', async () => {
  const { watch, clock, pods, entered } = watching();
  pods.push(pod(404), pod(5));
  for (let tick = 0; tick < 20; tick += 1) {
    watch.tick();
    await clock.step(500);
  }
  expect(entered).toEqual(['404', '5', '404', '5']);
  watch.learned(5, 0); // a pod without a device has nothing to watch
  expect(missing(watch)).toEqual([404, 5]);
});

test('Watch forgets what a tracer knew with it, and a pod that is gone', async () => {
  const { watch, pods, entered } = watching();
  pods.push(pod(1), pod(2));
  for (const { netnsInode } of pods) watch.learned(netnsInode, 1);
  pods.pop();
  watch.tick();
  await settled();
  pods.push(pod(2)); // another pod, whose namespace has the number of an earlier one
  expect(missing(watch)).toEqual([2]);
  watch.forget();
  expect(missing(watch)).toEqual([1, 2]);
  watch.tick();
  await settled();
  expect(entered).toEqual(['1', '2']);
});
