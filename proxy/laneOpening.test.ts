import { randomBytes } from 'node:crypto';
import { afterAll, describe, expect, it } from 'vitest';
import type { NodeName, Sid } from '#agent/base/brands.ts';
import { FRAME } from '#proxy/see/frames.ts';
import { REPLY_BYTES } from '#proxy/see/opening.ts';
import { KeyRing, type Sending } from './keyRing.ts';
import {
  openReply,
  sealOpening,
  sealReply,
  tryOpening,
  type Opened,
  type Opening,
} from './laneOpening.ts';
import { LaneReceiver, LaneSender } from './laneKeys.ts';
import { Routes, tokenFor } from './routes.ts';
import { testChain } from './chain.fixture.ts';
import type { Snapshot } from './snapshot.ts';
import { TwoNodes, type TestNode } from './twoNodes.fixture.ts';

const two = new TwoNodes();
afterAll(() => two.close());
const nowMs = Date.now();
const [client, server] = [new KeyRing(), new KeyRing()];
const [clientView, serverView] = [two.snapshot(two.a, two.b), two.snapshot(two.b, two.a)];
client.replace(clientView, nowMs);
server.replace(serverView, nowMs);
const routes = new Routes(serverView);
const sources = (ref: string) => routes.statements(ref);

function sendingTo(node: NodeName, ring = client): Sending {
  const sending = ring.sending(node);
  if ('refused' in sending) throw new Error(sending.refused);
  return sending;
}

function opening(change: { readonly sentMs?: number; readonly salt?: Buffer } = {}): Opening {
  const sending = sendingTo(two.b.name);
  const [pod] = clientView.pods;
  const token = pod && tokenFor(pod, sending.own.sid, sending.slot);
  if (!token) throw new Error('no token');
  const block = {
    token: token.token,
    endorsement: token.endorsement,
    destination: { address: '10.0.0.1', port: 80 },
    client: { address: '10.0.0.2', port: 4000 },
    sentMs: change.sentMs ?? nowMs,
    lineage: Buffer.alloc(0),
  };
  return sealOpening(sending, block, change.salt ?? randomBytes(16));
}

function openedFrom(bytes: Buffer): Opened {
  const attempt = tryOpening(server, sources, bytes);
  if (attempt.kind !== 'opened') throw new Error(JSON.stringify(attempt));
  return attempt.opened;
}

describe('tryOpening()', () => {
  it('opens what sealOpening() sealed, and says how long it was', () => {
    const { bytes } = opening();
    const opened = openedFrom(Buffer.concat([bytes, Buffer.from('frames')]));
    expect(opened.length).toBe(bytes.length);
    expect(opened.start.peer).toEqual({ node: two.a.name, sid: two.a.sid });
    expect(opened.block.destination).toEqual({ address: '10.0.0.1', port: 80 });
  });

  it('takes every change of any byte for noise, or waits for more of it', () => {
    const { bytes } = opening();
    const filler = Buffer.concat([bytes, Buffer.alloc(8192)]);
    for (let at = 0; at < bytes.length; at += 1) {
      const bad = Buffer.from(filler);
      bad[at] = (bad[at] ?? 0) ^ (1 << (at % 8));
      expect(tryOpening(server, sources, bad).kind).toBe('noise');
    }
  });

  it('says incomplete for every proper beginning of an opening', () => {
    const { bytes } = opening();
    for (let length = 0; length < bytes.length; length += 1) {
      expect(tryOpening(server, sources, bytes.subarray(0, length)).kind).toBe('incomplete');
    }
  });

  it('refuses an opening spliced from two: the header of one, the block of the other', () => {
    const [one, other] = [opening().bytes, opening().bytes];
    for (const at of [8, 24, 54]) {
      const spliced = Buffer.concat([one.subarray(0, at), other.subarray(at)]);
      const attempt = tryOpening(server, sources, spliced);
      // The kid is the same for both, so a cut behind it leaves the other whole.
      expect(attempt.kind).toBe(at === 8 ? 'opened' : 'noise');
    }
  });

  it('refuses a sent time outside the slot of the kid plus or minus a period', () => {
    const { slot, chain } = sendingTo(two.b.name);
    const [from, to] = [(slot - 1) * chain.periodMs, (slot + 2) * chain.periodMs];
    const kindAt = (sentMs: number) => tryOpening(server, sources, opening({ sentMs }).bytes);
    expect(kindAt(from).kind).toBe('opened');
    expect(kindAt(to - 1).kind).toBe('opened');
    expect(kindAt(from - 1)).toEqual({ kind: 'noise', stage: 'time' });
    expect(kindAt(to)).toEqual({ kind: 'noise', stage: 'time' });
  });

  it('refuses a slot that is over, and one that is too far ahead', () => {
    const { bytes } = opening();
    const { periodMs } = sendingTo(two.b.name).chain;
    const later = new KeyRing();
    later.replace(serverView, nowMs);
    later.tick(nowMs + periodMs);
    expect(tryOpening(later, sources, bytes).kind).toBe('opened');
    later.tick(nowMs + 2 * periodMs);
    expect(tryOpening(later, sources, bytes)).toEqual({ kind: 'noise', stage: 'kid' });
    const ahead = new KeyRing();
    ahead.replace(clientView, nowMs);
    ahead.tick(nowMs + 2 * periodMs);
    const early = sendingTo(two.b.name, ahead);
    const block = { ...openedFrom(bytes).block, sentMs: nowMs };
    const fromAhead = sealOpening(early, block, randomBytes(16)).bytes;
    expect(tryOpening(server, sources, fromAhead)).toEqual({ kind: 'noise', stage: 'kid' });
  });

  it('refuses a member who shares the chain but not the pair: nobody forges for another (G4)', () => {
    const forged = sealOpening(
      { ...sendingTo(two.b.name), pair: randomBytes(32), ls: randomBytes(32) },
      openedFrom(opening().bytes).block,
      randomBytes(16),
    );
    expect(tryOpening(server, sources, forged.bytes)).toEqual({ kind: 'noise', stage: 'block' });
  });

  it('refuses a source that is no peer, one of its own statements among them', () => {
    const sending = sendingTo(two.b.name);
    const block = openedFrom(opening().bytes).block;
    for (const sid of ['ee'.repeat(16) as Sid, two.b.sid]) {
      const own = { ...sending.own, sid };
      const { bytes } = sealOpening({ ...sending, own }, block, randomBytes(16));
      expect(tryOpening(server, sources, bytes)).toEqual({ kind: 'noise', stage: 'source' });
    }
  });
});

describe('openReply()', () => {
  it('opens what sealReply() sealed; both ends then hold the same secrets', () => {
    const sealed = opening();
    const replying = sealReply(openedFrom(sealed.bytes), {}, randomBytes(16));
    expect(replying.bytes.length).toBe(REPLY_BYTES);
    const replied = openReply(sealed, replying.bytes);
    expect(replied?.reply).toEqual({});
    expect(replied?.c2s.equals(replying.c2s)).toBe(true);
    expect(replied?.s2c.equals(replying.s2c)).toBe(true);
    expect(sealed.ls.every((byte) => byte === 0)).toBe(true);
  });

  it('refuses every change of any byte, and the reply to another opening', () => {
    const template = opening({ salt: Buffer.alloc(16, 1) });
    const { bytes } = sealReply(openedFrom(template.bytes), {}, randomBytes(16));
    for (let at = 0; at < bytes.length; at += 1) {
      const bad = Buffer.from(bytes);
      bad[at] = (bad[at] ?? 0) ^ (1 << (at % 8));
      expect(openReply(opening({ salt: Buffer.alloc(16, 1) }), bad)).toBeUndefined();
    }
    expect(openReply(opening(), bytes)).toBeUndefined();
    expect(openReply(template, bytes)).toBeDefined();
  });
});

describe('LaneSender and LaneReceiver', () => {
  /** What `speak` writes. */
  const written = (speak: (write: (frame: Buffer) => void) => void): Buffer => {
    const frames: Buffer[] = [];
    speak((frame) => frames.push(Buffer.from(frame)));
    return Buffer.concat(frames);
  };
  const noted: string[] = [];
  const note = ({ data }: { readonly data: Buffer }): void => {
    noted.push(data.toString());
  };

  /** A lane whose client direction is followed by hand, with rings of its own. */
  function lane() {
    const near = new KeyRing();
    const far = new KeyRing();
    near.replace(two.snapshot(two.a, two.b), nowMs);
    far.replace(two.snapshot(two.b, two.a), nowMs);
    const sealed = opening();
    const opened = openedFrom(sealed.bytes);
    const replying = sealReply(opened, {}, randomBytes(16));
    const replied = openReply(sealed, replying.bytes);
    if (!replied) throw new Error('no reply');
    const sender = new LaneSender(near, sealed.start, {
      secret: sealed.secret,
      sealer: sealed.sealer,
      isEarly: true,
      updated: () => undefined,
    });
    const receiver = new LaneReceiver(far, opened.start, {
      secret: opened.secret,
      opener: opened.opener,
      afterEarly: replying.c2s,
    });
    return { near, far, sender, receiver, c2s: replied.c2s };
  }
  const periodMs = two.view.chains[0]?.periodMs ?? 0;

  it('seal() before the reply is early data, begin() changes the key and nothing is lost', () => {
    const { sender, receiver, c2s } = lane();
    const wire = written((write) => {
      sender.seal(FRAME.data, Buffer.from('early'), write);
      sender.begin(c2s);
      sender.seal(FRAME.data, Buffer.from('later'), write);
    });
    noted.length = 0;
    expect(receiver.push(wire, note)).toBeUndefined();
    expect(noted).toEqual(['early', 'later']);
  });

  it.each([
    ['FIN', FRAME.fin, Buffer.alloc(0)],
    ['RESET', FRAME.reset, Buffer.from([0, 1])],
  ])('begin() changes no key for a %s, which nothing follows', (_, type, body) => {
    const { sender, receiver, c2s } = lane();
    const heard: number[] = [];
    const wire = written((write) => {
      sender.seal(FRAME.data, Buffer.from('early'), write);
      sender.begin(c2s);
      sender.seal(type, body, write);
    });
    expect(receiver.push(wire, (frame) => heard.push(frame.type))).toBeUndefined();
    expect(heard).toEqual([FRAME.data, type]);
    const bodies = Buffer.byteLength('early') + body.length;
    const overhead = 3 + 1 + 16; // of a frame: length, type, tag
    expect(wire.length).toBe(2 * overhead + bodies);
    sender.close();
    expect(c2s.every((byte) => byte === 0)).toBe(true);
  });

  it('update() before the reply does nothing, whatever slot it is', () => {
    const { near, sender } = lane();
    near.tick(nowMs + periodMs);
    expect(written((write) => sender.update(write)).length).toBe(0);
  });

  it('push() refuses kind 1 before kind 0 and kind 0 twice', () => {
    const send = (isBegun: boolean, body: Buffer) => {
      const { sender, receiver, c2s } = lane();
      const wire = written((write) => {
        if (isBegun) sender.begin(c2s);
        sender.seal(FRAME.keyUpdate, body, write);
      });
      return receiver.push(wire, () => undefined);
    };
    const zero = Buffer.alloc(57);
    const one = Buffer.concat([Buffer.from([1]), Buffer.alloc(56)]);
    expect(send(false, one)).toBe('update');
    for (const body of [zero, zero.subarray(1)]) expect(send(true, body)).toBe('update');
  });

  it('push() waits at an update to a chain that is not here, until it is', () => {
    const { near, far, sender, receiver, c2s } = lane();
    const before = two.view.chains;
    const chains = [testChain(periodMs, 1, 2), ...before];
    const snapshotOf = (own: TestNode, other: TestNode): Snapshot => {
      two.view = { ...two.view, chains };
      const snapshot = two.snapshot(own, other);
      two.view = { ...two.view, chains: before };
      return snapshot;
    };
    const wire = written((write) => {
      sender.begin(c2s);
      sender.seal(FRAME.data, Buffer.from('before'), write);
      near.replace(snapshotOf(two.a, two.b), nowMs);
      near.tick(nowMs + periodMs);
      sender.seal(FRAME.data, Buffer.from('after'), write);
    });
    noted.length = 0;
    expect(receiver.push(wire, note)).toBeUndefined();
    expect([receiver.isWaiting, noted]).toEqual([true, ['before']]);
    expect(receiver.resume()).toBe(false);
    far.replace(snapshotOf(two.b, two.a), nowMs + periodMs);
    expect(receiver.resume()).toBe(true);
    expect(receiver.push(wire.subarray(wire.length - receiver.unread), note)).toBeUndefined();
    expect([receiver.isWaiting, noted]).toEqual([false, ['before', 'after']]);
  });

  it('push() follows an update that lay unread for longer than its chain key was held', () => {
    const { near, far, sender, receiver, c2s } = lane();
    const wire = written((write) => {
      sender.begin(c2s);
      for (let slot = 1; slot <= 5; slot += 1) {
        near.tick(nowMs + slot * periodMs);
        sender.seal(FRAME.data, Buffer.from(`slot ${slot}`), write);
      }
    });
    for (let slot = 1; slot <= 40; slot += 1) far.tick(nowMs + slot * periodMs);
    noted.length = 0;
    expect(receiver.push(wire, note)).toBeUndefined();
    expect(noted).toEqual([1, 2, 3, 4, 5].map((slot) => `slot ${slot}`));
  });

  it('push() refuses an update of a slot ahead of the next', () => {
    const { near, sender, receiver, c2s } = lane();
    const wire = written((write) => {
      sender.begin(c2s);
      near.tick(nowMs + 2 * periodMs);
      sender.update(write);
    });
    expect(receiver.push(wire, () => undefined)).toBe('update');
  });

  it('update() comes once a slot and only after a frame', () => {
    const { near, sender, c2s } = lane();
    const updates = (): boolean => written((write) => sender.update(write)).length > 0;
    sender.begin(c2s);
    expect(updates()).toBe(false); // same slot
    near.tick(nowMs + periodMs);
    expect(updates()).toBe(true);
    near.tick(nowMs + 2 * periodMs);
    expect(updates()).toBe(false); // nothing was sent since
    sender.seal(FRAME.ping, Buffer.alloc(0), () => undefined);
    expect(updates()).toBe(false); // same slot
    near.tick(nowMs + 3 * periodMs);
    expect(updates()).toBe(true);
  });
});
