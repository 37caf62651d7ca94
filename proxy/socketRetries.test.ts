import { expect, it } from 'vitest';
import { SkippingClock } from './skippingClock.fixture.ts';
import { SocketRetries, type PoolLow } from './socketRetries.ts';

const asks = (podUid: string, worker = 0, family: 4 | 6 = 4): PoolLow => ({
  type: 'poolLow',
  worker,
  podUid,
  family,
  want: 1,
});

/** A control plane in which the pods of `captured` have sockets. */
function control(captured = new Set<string>()) {
  const clock = new SkippingClock(true);
  const seen = { tries: 0, met: [] as PoolLow[], refused: [] as PoolLow[] };
  const retries = new SocketRetries(clock, {
    tried: (asked) => {
      seen.tries += 1;
      const isMet = captured.has(asked.podUid);
      if (isMet) seen.met.push(asked);
      return isMet;
    },
    refused: (asked) => seen.refused.push(asked),
  });
  const skip = (ms: number): void => {
    for (let at = 0; at < ms; at += 200) clock.skip(200);
  };
  return { captured, seen, retries, skip };
}

it('ask() tries each pod and family once in 200 ms, however often they are asked for, until 4 s are over', () => {
  const { seen, retries, skip } = control();
  for (let n = 0; n < 9000; n += 1) retries.ask(asks('nobody', n % 2));
  retries.ask(asks('nobody', 0, 6));
  expect(seen.tries).toBe(2);
  skip(1000);
  expect(seen.tries).toBe(2 + 2 * 5);
  skip(3200);
  expect(seen.refused).toEqual([asks('nobody', 0), asks('nobody', 1), asks('nobody', 0, 6)]);
  const { tries } = seen;
  skip(5000);
  expect(seen.tries).toBe(tries);
  retries.ask(asks('nobody'));
  expect(seen.tries).toBe(tries + 1);
});

it('ask() meets the newest request of every worker as soon as the pod is captured', () => {
  const { captured, seen, retries, skip } = control();
  retries.ask(asks('late', 0));
  retries.ask(asks('late', 1));
  retries.ask({ ...asks('late', 1), want: 9 });
  skip(400);
  captured.add('late');
  skip(200);
  expect(seen.met).toEqual([asks('late', 0), { ...asks('late', 1), want: 9 }]);
  skip(5000);
  expect(seen.refused).toEqual([]);
  retries.ask(asks('late'));
  expect(seen.met).toHaveLength(3);
});

it('ask() refuses at once what is asked for more pods than a node has, and still tries those that are there', () => {
  const { seen, retries } = control(new Set(['here']));
  for (let n = 0; n < 2000; n += 1) retries.ask(asks(`pod-${n}`));
  expect(seen.refused).toHaveLength(2000 - 1024);
  retries.ask(asks('here'));
  expect(seen.met).toEqual([asks('here')]);
});

it('close() ends all loops', () => {
  const { seen, retries, skip } = control();
  retries.ask(asks('nobody'));
  retries.close();
  skip(5000);
  expect([seen.tries, seen.refused]).toEqual([1, []]);
});
