// Ways past a redirect that stands: frames by packet sockets in every form a receiver takes, and a device
// taken out of the pod's namespace. Each is seen, and named within a second.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '#agent/base/run.ts';
import { loadRules, type LoadedRules } from '#proxy/redirect/nftables.ts';
import { BY_DEFAULT } from '#proxy/redirect/plaintext.fixture.ts';
import {
  frameOf,
  IPV4,
  JUMP_THE_QUEUE,
  OPENINGS,
  OTHERS,
  OUTSIDE4,
  POD4,
  sendFrame,
  stranger,
} from './frames.ts';
import { ANY_CODE, inside, ip, probedPod, WHERE, type ProbedPod } from './probedPod.ts';
import { report, SLACK } from './twoNodes.ts';

const NAMED_WITHIN_MS = 1_000;
const FIRST_PORT = 7_100;
/** More than a page: what a packet socket sends of that lies in pages, but for the Ethernet header. */
const PAGED_BYTES = 5_000;

let place: ProbedPod;
let rules: LoadedRules;
beforeAll(async () => {
  place = await probedPod('tlr');
  rules = await loadRules(run, { netnsPath: place.netnsPath, plaintext: BY_DEFAULT });
}, 120_000);
afterAll(async () => {
  await place?.[Symbol.asyncDispose]();
});

const frame = (packet: Parameters<typeof frameOf>[0], port: number): Buffer =>
  frameOf(packet, port, place.podMac, place.outsideMac);

const FORMS = [...OPENINGS, ...OTHERS].map(([what, packet]) => ({ what, packet }));
const WAYS = [
  { way: 'a packet socket', options: [] },
  { way: 'a packet socket past the queue', options: [JUMP_THE_QUEUE] },
];
const CASES = WAYS.flatMap((way) => FORMS.map((form) => ({ ...way, ...form }))).map(
  (each, index) => ({ ...each, port: FIRST_PORT + index }),
);

describe('a frame past the redirect is a bypass, named within a second, and told once', () => {
  test.each(CASES)('$what by $way', async ({ what, way, packet, options, port }) => {
    const fromMs = performance.now();
    await sendFrame(place.pod, 'eth0', frame(packet, port), ...options);
    const { event } = await place.event('bypass', ({ remote }) => remote.port === port);
    const tookMs = Math.round(performance.now() - fromMs);
    report(`${what} by ${way}: known ${tookMs} ms after the start of the program`);
    expect(tookMs).toBeLessThan(SLACK * NAMED_WITHIN_MS);
    const process = { comm: 'socat' };
    expect(event).toMatchObject({ where: WHERE, direction: 'out', raw: true, process, count: 1 });
    expect(event.remote.address).toBe(packet.to);
    expect(place.bypassesTo(packet.to, port)).toHaveLength(1);
  });
});

test('a frame with its headers in a page is a bypass to an address it hides', async () => {
  for (const [netns, device] of [
    [place.pod, 'eth0'],
    [place.outside, 'v0'],
  ] as const) {
    await ip('-n', netns, 'link', 'set', device, 'mtu', '9000');
  }
  for (const options of [[], [JUMP_THE_QUEUE]]) {
    const before = place.seen.length;
    await sendFrame(place.pod, 'eth0', frame({ ...IPV4, payload: PAGED_BYTES }, 7_200), ...options);
    const wanted = { where: WHERE, raw: true, remote: { address: '0.0.0.0', port: 0 } };
    const found = (): boolean => place.seen.slice(before).some(({ kind }) => kind === 'bypass');
    // The second of a second is told with the next ones.
    await place.until('a bypass', found);
    expect(place.seen.slice(before).find(({ kind }) => kind === 'bypass')).toMatchObject(wanted);
  }
});

test('frames of other protocols are none', async () => {
  const udp = { ...IPV4, headers: IPV4.headers.replace('4006', '4011') };
  const arp = { ...IPV4, etherType: '0806' };
  const told = place.seen.filter(({ kind }) => kind === 'bypass').length;
  for (const packet of [udp, arp]) {
    for (const { options } of WAYS)
      await sendFrame(place.pod, 'eth0', frame(packet, 7_201), ...options);
  }
  await sendFrame(place.pod, 'eth0', frame(IPV4, 7_202)); // told after them
  await place.event('bypass', ({ remote }) => remote.port === 7_202);
  expect(place.seen.filter(({ kind }) => kind === 'bypass')).toHaveLength(told + 1);
});

test('one flood is counted whole, and hides neither its pod nor what is not told of it', async () => {
  const FLOOD = 500;
  const { probes } = place;
  const packets = (): number => probes.bypasses()[0]?.packets ?? 0;
  const before = packets();
  const flood = frame({ ...IPV4, flags: 0 }, 7_203);
  // One frame a write: socat reads a block of that size at a time.
  const input = Buffer.concat(Array.from({ length: FLOOD }, () => flood));
  const argv = inside(place.pod, 'socat', '-u', '-b', String(flood.length), '-', 'INTERFACE:eth0');
  await run(argv, { input });
  await place.until('every packet is counted', () => packets() >= before + FLOOD);
  expect(packets()).toBe(before + FLOOD);
  expect(probes.bypasses()).toMatchObject([{ where: WHERE }]);
  expect(probes.bypasses()[0]?.untold).toBeGreaterThan(0);
});

test('a device moved to another namespace is still the pod’s', async () => {
  const child = `${place.pod}x`;
  await ip('netns', 'add', child);
  try {
    await ip('-n', place.pod, 'link', 'set', 'eth0', 'netns', child);
    await ip('-n', child, 'addr', 'add', `${POD4}/24`, 'dev', 'eth0');
    for (const each of ['lo', 'eth0']) await ip('-n', child, 'link', 'set', each, 'up');
    const fromMs = performance.now();
    await run(stranger(child, 'socat', '-u', `TCP:${OUTSIDE4}:7204`, '-'), { okCodes: ANY_CODE });
    const { event } = await place.event('bypass', ({ remote }) => remote.port === 7_204);
    const tookMs = performance.now() - fromMs;
    report(`out of a child namespace: known ${Math.round(tookMs)} ms after the program's start`);
    expect(tookMs).toBeLessThan(SLACK * NAMED_WITHIN_MS);
    expect(event).toMatchObject({ where: WHERE, direction: 'out', process: { comm: 'socat' } });
    await sendFrame(child, 'eth0', frame(IPV4, 7_205), JUMP_THE_QUEUE);
    const raw = await place.event('bypass', ({ remote }) => remote.port === 7_205);
    expect(raw.event).toMatchObject({ where: WHERE, raw: true });
  } finally {
    await ip('netns', 'del', child);
  }
});

test('what stands in the way of the kernel’s own TCP stood all the time', async () => {
  expect(await rules.state()).toBe('intact');
  expect(place.probes.status()).toMatchObject({ lost: 0, unreadable: 0 });
});
