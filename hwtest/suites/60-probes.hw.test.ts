// Real bpftrace on a real kernel: what the probes see of programs and of the kernel's own TCP, with the
// rules of a redirect and without, and what becomes of them when bpftrace is killed.
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from '#agent/base/run.ts';
import { loadRules } from '#proxy/redirect/nftables.ts';
import { BY_DEFAULT } from '#proxy/redirect/plaintext.fixture.ts';
import { frameOf, IPV4, OUTSIDE4, POD4, sendFrame } from './frames.ts';
import { ANY_CODE, inside, probedPod, WHERE, type ProbedPod } from './probedPod.ts';
import { report } from './twoNodes.ts';

let place: ProbedPod;
beforeAll(async () => {
  const startedMs = performance.now();
  place = await probedPod('tlp');
  const mib = Math.round((place.probes.status().rssBytes ?? 0) / 1_048_576);
  report(`probes attached after ${Math.round(performance.now() - startedMs)} ms, ${mib} MiB`);
}, 120_000);
afterAll(async () => {
  await place?.[Symbol.asyncDispose]();
});

test('exec, connect, accept and close name the pod', async () => {
  const server = await place.listen(7_000);
  try {
    await run(inside(place.pod, 'socat', '-T5', `TCP:${POD4}:7000`, '-'), { input: 'x' });
    const exec = await place.event(
      'exec',
      ({ path, where }) => path.endsWith('socat') && where.kind === 'pod',
    );
    const connect = await place.event('connect', ({ destination }) => destination.port === 7_000);
    const accept = await place.event('accept', ({ local }) => local.port === 7_000);
    const closed = await place.event('close', ({ remote }) => remote.port === 7_000);
    expect(exec.event).toMatchObject({ where: WHERE, comm: 'socat' });
    expect(connect.event).toMatchObject({
      where: WHERE,
      delivery: false,
      process: { comm: 'socat' },
      destination: { address: POD4, port: 7_000 },
    });
    expect(accept.event).toMatchObject({ where: WHERE, local: { address: POD4, port: 7_000 } });
    expect(closed.event).toMatchObject({
      where: WHERE,
      role: 'connected',
      established: true,
      process: connect.event.process,
    });
  } finally {
    server.kill('SIGKILL');
  }
});

test('connect has the destination that was asked for, and the redirect is no bypass', async () => {
  const { netnsPath, pod, outside } = place;
  const rules = await loadRules(run, { netnsPath, plaintext: BY_DEFAULT });
  await run(inside(pod, 'socat', '-u', `TCP:${OUTSIDE4}:7001,connect-timeout=1`, '-'), {
    okCodes: ANY_CODE,
  });
  const { event } = await place.event('connect', ({ destination }) => destination.port === 7_001);
  expect(event).toMatchObject({ where: WHERE, destination: { address: OUTSIDE4 } });
  // Refused from outside: the reset that says so is the one thing that leaves.
  await run(inside(outside, 'socat', '-u', `TCP:${POD4}:7001`, '-'), { okCodes: ANY_CODE });
  await toldAll();
  expect(place.seen.filter(({ kind }) => kind === 'bypass')).toEqual([]);
  await rules.remove();
});

test('a connection after the rules are gone is a bypass, in and out', async () => {
  const { netnsPath, pod, outside } = place;
  const rules = await loadRules(run, { netnsPath, plaintext: BY_DEFAULT });
  await rules.remove();
  const fromMs = performance.now();
  await run(inside(pod, 'socat', '-u', `TCP:${OUTSIDE4}:7002`, '-'), { okCodes: ANY_CODE });
  const { event: out } = await place.event('bypass', ({ remote }) => remote.port === 7_002);
  report(
    `rules gone: known ${Math.round(performance.now() - fromMs)} ms after the program's start`,
  );
  expect(out).toMatchObject({
    where: WHERE,
    direction: 'out',
    raw: false,
    process: { comm: 'socat' },
  });
  const server = await place.listen(7_003);
  try {
    await run(inside(outside, 'socat', '-T5', `TCP:${POD4}:7003`, '-'), { input: 'x' });
    const { event: answer } = await place.event('bypass', ({ direction }) => direction === 'in');
    expect(answer).toMatchObject({ where: WHERE, local: { address: POD4, port: 7_003 } });
    // All of that connection is the pod's answer, and none of it goes out by itself.
    await toldAll();
    const remotePort = answer.remote.port;
    expect(
      new Set(place.bypassesTo(OUTSIDE4, remotePort).map(({ direction }) => direction)),
    ).toEqual(new Set(['in']));
  } finally {
    server.kill('SIGKILL');
  }
});

test('bpftrace killed comes back, knows the pod again, and the gap is told', async () => {
  const { probes } = place;
  const { restarts, gaps } = probes.status();
  process.kill(place.tracerPid(), 'SIGKILL');
  const fromMs = performance.now();
  const killedAt = Date.now();
  await place.until('degraded', () => probes.status().state === 'degraded');
  expect(probes.status()).toMatchObject({ code: 'PROBES_FAILED', unwatched: ['default/client'] });
  await place.until('running again', () => probes.status().state === 'running', 30_000);
  await place.until('watched', () => probes.status().unwatched.length === 0);
  report(`bpftrace killed: seeing again after ${Math.round(performance.now() - fromMs)} ms`);
  const status = probes.status();
  expect(status).toMatchObject({ state: 'running', restarts: restarts + 1, unreadable: 0 });
  expect(status.gaps).toHaveLength(gaps.length + 1);
  const gap = status.gaps.at(-1);
  expect(gap?.reason).toMatch(/^Cannot keep probes running: bpftrace was ended by SIGKILL/);
  expect(gap?.from).toBeLessThanOrEqual(killedAt);
  expect(gap?.to).toBeGreaterThan(killedAt);
  const { pod, podMac, outsideMac } = place;
  await sendFrame(pod, 'eth0', frameOf(IPV4, 7_030, podMac, outsideMac));
  await place.event('bypass', ({ remote }) => remote.port === 7_030);
});

test('nothing is lost or unreadable, and bpftrace ends with the probes', async () => {
  expect(place.probes.status()).toMatchObject({ lost: 0, unreadable: 0 });
  const fromMs = performance.now();
  await place.probes.close();
  report(`closed after ${Math.round(performance.now() - fromMs)} ms`);
  expect(existsSync(`/proc/${place.tracerPid()}`)).toBe(false);
  expect(place.probes.status().state).toBe('off');
});

/** What happened before now has been told, since an exec after it has. */
async function toldAll(): Promise<void> {
  const before = place.seen.length;
  await run(inside(place.pod, 'true'));
  const told = (): boolean =>
    place.seen.slice(before).some((event) => event.kind === 'exec' && event.comm === 'true');
  await place.until('an exec', told);
}
