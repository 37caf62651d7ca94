import { expect, test } from 'vitest';
import { BypassLog } from './bypassLog.ts';
import type { BypassEvent, PodWhere } from './events.ts';

const pod = (uid: string): PodWhere => ({ kind: 'pod', uid, namespace: 'n', name: uid });
const bypass = (uid: string, port: number): BypassEvent => ({
  kind: 'bypass',
  at: 0,
  where: pod(uid),
  direction: 'out',
  raw: false,
  local: { address: '10.0.0.2', port: 4000 },
  remote: { address: '10.0.0.1', port },
  count: 1,
});

test('BypassLog keeps the last 8 of each pod, and a noisy one pushes out no other', () => {
  const log = new BypassLog();
  log.keep(bypass('quiet', 1));
  for (let port = 1; port <= 10_000; port += 1) log.keep(bypass('noisy', port));
  const [quiet, noisy] = log.pods();
  expect(quiet).toMatchObject({ where: pod('quiet'), last: [{ remote: { port: 1 } }] });
  expect(noisy?.last.map(({ remote }) => remote.port)).toEqual([
    9_993, 9_994, 9_995, 9_996, 9_997, 9_998, 9_999, 10_000,
  ]);
});

test('BypassLog counts the packets of each pod, and those not told apart', () => {
  const log = new BypassLog();
  log.count(pod('a'), 3);
  log.countUntold(pod('a'), 40);
  log.count(pod('b'), 1);
  expect(log.pods()).toEqual([
    { where: pod('a'), packets: 43, untold: 40, last: [] },
    { where: pod('b'), packets: 1, untold: 0, last: [] },
  ]);
});

test('BypassLog forgets the quietest of more than 256 pods', () => {
  const log = new BypassLog();
  for (let i = 0; i < 256; i += 1) log.count(pod(`p${i}`), 1);
  log.count(pod('p0'), 1);
  log.count(pod('one-more'), 1);
  const uids = log.pods().map(({ where }) => where.uid);
  expect(uids).toHaveLength(256);
  expect(uids).toContain('p0');
  expect(uids).not.toContain('p1');
});
