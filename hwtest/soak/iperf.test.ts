import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { Account } from './account.ts';
import type { ClientRun } from './client.ts';
import { establishedTo, iperf } from './iperf.ts';

const PORT = 5201;

/** A process that stands in for a client, and what is said of it. */
function clientRun() {
  const child = spawn('sleep', ['60']);
  const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  const failures: string[] = [];
  const run: ClientRun = {
    pid: child.pid ?? 0,
    account: new Account('iperf3'),
    failed: (what) => failures.push(what),
  };
  return { child, ended, failures, run };
}

test('iperf() ends a client that goes on when one of its two connections has ended, and says so once', async () => {
  const { ended, failures, run } = clientRun();
  const counts = [0, 1, 2, 2, 1, 1];
  const plan = iperf('198.19.2.10', PORT, () => counts.shift() ?? 0);
  for (let n = 0; n < 4; n += 1) plan.look?.(run);
  expect(failures).toEqual([]);
  for (let n = 0; n < 2; n += 1) plan.look?.(run);
  expect(failures).toEqual(['one of its two connections has ended, and it has not']);
  expect(await ended).toEqual([null, 'SIGKILL']);
});

test('iperf() leaves a client alone that begins, and one that has lost both connections', async () => {
  const { child, ended, failures, run } = clientRun();
  const counts = [1, 1, 2, 0, 0];
  const plan = iperf('198.19.2.10', PORT, () => counts.shift() ?? 0);
  for (let n = 0; n < 5; n += 1) plan.look?.(run);
  expect(failures).toEqual([]);
  child.kill('SIGTERM');
  expect(await ended).toEqual([null, 'SIGTERM']);
});

test('iperf() takes a second in which bytes came for an answer, and no other', () => {
  const plan = iperf('198.19.2.10', PORT, () => 0);
  const account = new Account('iperf3');
  const run: ClientRun = { pid: 0, account, failed: () => undefined };
  plan.hear('[  5]   0.00-1.00   sec  11.9 MBytes   100 Mbits/sec', run);
  plan.hear('[  5]   1.00-2.00   sec  0.00 Bytes  0.00 bits/sec', run);
  expect(account.requests).toBe(1);
});

test('establishedTo() counts what is open to a port, and not what ends, listens or leads elsewhere', () => {
  const rest =
    '00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000 20 4 30 10 -1';
  const table = [
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
    `   0: 0A0113C6:1451 00000000:0000 0A ${rest}`,
    `   1: 0A0113C6:D2F0 0A0213C6:1451 01 ${rest}`,
    `   2: 0A0113C6:D2F2 0A0213C6:1451 01 ${rest}`,
    `   3: 0A0113C6:D2F4 0A0213C6:1451 08 ${rest}`,
    `   4: 0A0113C6:1451 0A0213C6:D2F0 01 ${rest}`,
    `  10: 0A0113C6:D2F6 0A0213C6:0050 01 ${rest}`,
  ].join('\n');
  expect(establishedTo(PORT, table)).toBe(2);
});
