// G2 and G9 on a real nats-server, with the whole epoch planes of three members and lanes between two of
// them: everything that was said, stored or sent, searched for every key there ever was, and every opaque
// value of it judged by what it is.
import type { KeyObject } from 'node:crypto';
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { slotPlus, type NodeName } from '#agent/base/brands.ts';
import { fromHex, hex } from '#agent/base/bytes.ts';
import { rootCommit } from '#proxy/chips/chain.ts';
import { frameKeys } from '#proxy/see/keys.ts';
import { BUS_PERIOD_MS, startAgentOnBus } from '#hwtest/virtual/agentOnBus.ts';
import { Carried } from './carried.fixture.ts';
import { livePrivateKeys } from './memory.fixture.ts';
import { startNats, type NatsServer, type Said } from './natsServer.fixture.ts';
import { documentsOf, opaqueValues } from './opaque.fixture.ts';
import { readLane, tap, type RecordedLane, type Tap } from './recording.fixture.ts';

/** Long enough for several records, renewals and generations. */
const ROUNDS = 10;
const KEY_BYTES = 32;

/** Every secret of the run, in hex. */
const secrets = new Set<string>();
/** What the agents drew at random: roots are secret, beacons and nonces are not. */
const drawn: Buffer[] = [];
const roots: Buffer[] = [];
const two = new Carried();
let nats: NatsServer;
let taps: readonly Tap[];
let lanesRead = 0;

/** A private key as bytes: of ML-DSA-65 its seed. */
const rawOf = (key: KeyObject): Buffer =>
  key.asymmetricKeyType === 'ml-dsa-65'
    ? key.export({ format: 'raw-seed' })
    : key.export({ format: 'raw-private' });

beforeAll(async () => {
  // X-Wing draws its private keys and its encapsulations here.
  const draw = crypto.getRandomValues.bind(crypto);
  vi.spyOn(crypto, 'getRandomValues').mockImplementation((array) => {
    draw(array);
    if (array instanceof Uint8Array && array.length === KEY_BYTES) secrets.add(hex(array));
    return array;
  });
  nats = await startNats();
  await two.start();
  const agents = [two.a.name, two.b.name, 'node-3' as NodeName].map((node) =>
    startAgentOnBus(node, [nats.url], {
      lanePort: () => (node === two.a.name ? two.a.lanePort : two.b.lanePort),
      drawn: (bytes) => drawn.push(Buffer.from(bytes)), // roots are overwritten
      changed: () => two.changed(),
    }),
  );
  for (const agent of agents) two.agents.set(agent.node, agent);
  await vi.waitFor(() => expect(two.isReady).toBe(true), { timeout: 90_000, interval: 100 });
  taps = await tap(two);
  const destination = await two.serve((socket) => socket.pipe(socket));
  const lanes: Socket[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    lanes.push(await two.a.connect(destination));
    for (const lane of lanes) await exchanged(lane, `round ${round}`);
    for (const key of livePrivateKeys()) secrets.add(hex(rawOf(key)));
    await pause(BUS_PERIOD_MS);
  }
  await Promise.all(agents.map((agent) => agent.close()));
  addDerived();
}, 300_000);
afterAll(async () => {
  vi.restoreAllMocks();
  two.close();
  await nats?.[Symbol.asyncDispose]();
});

/** Some bytes both ways, or the end of a lane that was cut: on a slow machine a slot of two seconds is short. */
async function exchanged(lane: Socket, text: string): Promise<void> {
  if (lane.destroyed) return;
  const heard = new Promise<void>((resolve) => {
    lane.once('data', () => resolve());
    lane.once('close', () => resolve());
  });
  lane.write(text);
  await heard;
}

/** The commitments to roots in the records of the run. */
const commits = (): ReadonlySet<unknown> =>
  new Set(
    documentsOf(nats.said, 'epoch-record').flatMap(({ rootCommit: committed }) => committed ?? []),
  );

/** What follows from the run: roots, chain values, and all keys of the lanes that were recorded. */
function addDerived(): void {
  const { truth } = two;
  const committed = commits();
  roots.push(...drawn.filter((random) => committed.has(hex(rootCommit(random)))));
  for (const root of roots) secrets.add(hex(root));
  for (const id of truth.chains) {
    const first = truth.firstSlot(id);
    for (let n = 0; n < ROUNDS; n += 1) secrets.add(hex(truth.chain(id, slotPlus(first, n))));
  }
  for (const pair of truth.pairs) secrets.add(hex(pair));
  for (const lane of taps.flatMap((each) => readable(each) ?? [])) {
    lanesRead += 1;
    for (const key of [lane.ls, lane.headerKey]) secrets.add(hex(key));
    for (const { secret } of lane.pieces) {
      const { key, hp } = frameKeys(secret);
      for (const each of [secret, key, hp]) secrets.add(hex(each));
    }
  }
}

/** A lane that was cut in mid-frame cannot be read. */
function readable(tapped: Tap): RecordedLane | undefined {
  try {
    return readLane(tapped, two.truth);
  } catch {
    return undefined;
  }
}

/** `key` as it may stand in bytes: raw, in hex, in base64 and base64url at any place of a longer text. */
function formsOf(key: Buffer): string[] {
  const inBase64 = [0, 1, 2].flatMap((before) => {
    const bits = Buffer.concat([Buffer.alloc(before), key]);
    const [from, to] = [Math.ceil((before * 8) / 6), Math.floor((bits.length * 8) / 6)];
    return (['base64', 'base64url'] as const).map((name) => bits.toString(name).slice(from, to));
  });
  return [key.toString('latin1'), hex(key), hex(key).toUpperCase(), ...inBase64];
}

/** How many bytes of a form are looked up at each place. */
const GLANCE = 8;

/** The secrets that stand in `bytes` in any form: one pass, however many there are. */
function secretsIn(bytes: Buffer): string[] {
  const byGlance = new Map<string, { readonly key: string; readonly form: string }[]>();
  for (const key of secrets) {
    for (const form of formsOf(fromHex(key))) {
      const glance = form.slice(0, GLANCE);
      byGlance.set(glance, [...(byGlance.get(glance) ?? []), { key, form }]);
    }
  }
  const text = bytes.toString('latin1');
  const found = new Set<string>();
  for (let at = 0; at < text.length; at += 1) {
    for (const { key, form } of byGlance.get(text.slice(at, at + GLANCE)) ?? []) {
      if (text.startsWith(form, at)) found.add(key);
    }
  }
  return [...found];
}

/** Everything of a message, as bytes. */
const bytesOf = ({ subject, headers, data }: Said): Buffer =>
  Buffer.concat([Buffer.from(`${subject}\n${headers}\n`), data]);

describe('no key travels', () => {
  it('G2: over several generations and renewals of real members', () => {
    const epochs = documentsOf(nats.said, 'epoch-record').map(({ epoch }) => epoch);
    expect(new Set(epochs).size).toBeGreaterThan(ROUNDS / 2);
    expect(commits().size).toBeGreaterThan(1);
    expect(roots.length).toBe(commits().size);
    expect(documentsOf(nats.said, 'sealed').length).toBeGreaterThan(1);
    expect(lanesRead).toBeGreaterThan(ROUNDS / 2);
    expect(secrets.size).toBeGreaterThan(500);
  });

  it('G2: neither on the bus nor in what it stores', () => {
    expect(secretsIn(Buffer.concat(nats.said.map(bytesOf)))).toEqual([]);
    expect(secretsIn(Buffer.concat(nats.stored()))).toEqual([]);
  });

  it('G2: nor on the lanes', () => {
    for (const { c2s, s2c } of taps) expect(secretsIn(Buffer.concat([...c2s, ...s2c]))).toEqual([]);
  });

  it('G2: and one that did would be found in any form, anywhere', () => {
    const [planted] = secrets;
    const key = fromHex(planted ?? '');
    for (const before of [0, 1, 2, 3]) {
      const longer = Buffer.concat([Buffer.alloc(before, 'x'), key, Buffer.from('yz')]);
      for (const text of (['latin1', 'hex', 'base64', 'base64url'] as const).map((encoding) =>
        Buffer.from(`{"a":"${longer.toString(encoding)}"}`, 'latin1'),
      )) {
        expect(secretsIn(text)).toEqual([planted]);
      }
    }
  });
});

const STATEMENT = ['sign', 'lane', 'seal', 'nonce'].map((key) => `statement.${key}`);
const SIGNED = ['signatures.keyId', 'signatures.sig'];
const payload = (...names: readonly string[]): readonly string[] => [
  ...SIGNED,
  ...names.map((name) => `payload.${name}`),
];
/** The opaque values of each kind of message: public keys, hashes, names, signatures, public randomness. */
const PUBLIC: Readonly<Record<string, readonly string[]>> = {
  'roster.evidence': [...STATEMENT, 'challenge.basis', 'challenge.random'],
  'roster.entry': [...STATEMENT, 'evidenceDigest', 'receipt.conductor'],
  'roster.index': ['sid', 'entry'],
  'roster.change': ['from', 'put.sid', 'put.entry'],
  'lease.conductor': ['holder.sid'],
  'epoch-record': payload(
    'beacon',
    'rootCommit',
    'rosterDigest',
    'parent',
    'prev',
    'conductor.sid',
  ),
  presence: payload('sid', 'nextSeal', 'chains.chainId'),
  workloads: payload('sid'),
  join: payload('sid', 'seal'),
  answer: ['conductor.sid', 'basis', 'random'],
  sealed: payload('recordHash', 'conductor.sid', 'sid'),
};

describe('secrets travel only under X-Wing', () => {
  it('G9: every opaque value on the bus is public by what it is, or sealed', () => {
    const values = opaqueValues(nats.said);
    const strange = values.filter(({ kind, path }) => !PUBLIC[kind]?.includes(path));
    expect(new Set(strange.map(({ kind, path }) => `${kind} ${path}`))).toEqual(
      new Set(['sealed payload.enc', 'sealed payload.ciphertext']),
    );
    expect(new Set(values.map(({ kind }) => kind))).toEqual(new Set(Object.keys(PUBLIC)));
  });
});
