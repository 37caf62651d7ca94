// G11 and G8 of openings, against node b's real worker: whatever is changed, cut off or put together anew,
// by a stranger or by a member that holds the chain, opens no lane, is answered with not one byte, and is
// closed when a connection that says nothing would be.
import { randomBytes } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { readAll, until, world } from '#proxy/lane.fixture.ts';
import { FRAME } from '#proxy/see/frames.ts';
import {
  KID_BYTES,
  MODE,
  PREFIX_BYTES,
  SALT_BYTES,
  openHeader,
  sealHeader,
} from '#proxy/see/opening.ts';
import { PERIOD_MS } from './cluster.fixture.ts';
import { Hand } from './hand.fixture.ts';

/** The deadline that node b draws for every stranger of these tests: the middle of its range. */
const DRAWN_MS = 8_000;
const OUTER_AT = KID_BYTES + SALT_BYTES;
/** Of the header: behind version, suite and flags. */
const MODE_AT = 3;
/** Connections at a time: fewer than what makes the oldest go. */
const BATCH = 512;

/** `bytes` with one bit of byte `at` changed; which one differs from byte to byte. */
function changedAt(bytes: Buffer, at: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
  return changed;
}

const range = (length: number): number[] => Array.from({ length }, (_, n) => n);

/** Node b draws the same for every connection, and its pod says what reaches it. */
async function listening() {
  const two = await world({ periodMs: PERIOD_MS, onlySkips: true });
  two.b.randomBytes = (length) => Buffer.alloc(length, 0x80);
  const served: Promise<Buffer | string>[] = [];
  const destination = await two.serve((socket) => {
    served.push(readAll(socket));
    socket.end();
  });
  return { two, served, destination, hand: new Hand(two) };
}

type Listening = Awaited<ReturnType<typeof listening>>;

/** An opening as it is to be, with early data behind it, and what is made of it. */
interface Attempted {
  readonly whole: Buffer;
  readonly changed: readonly Buffer[];
}

/** An opening and all that `change` makes of it; `length` is without the early data. */
function attempted({ hand, destination }: Listening, change: Change): Attempted {
  const opening = hand.opening(destination);
  const frames = [FRAME.data, FRAME.fin].map((type) =>
    Buffer.from(opening.sealer.frame(type, Buffer.from(type === FRAME.data ? 'early' : ''))),
  );
  const whole = Buffer.concat([opening.bytes, ...frames]);
  return { whole, changed: change(whole, opening.bytes.length) };
}

type Change = (whole: Buffer, length: number) => readonly Buffer[];

/**
 * Sends each of what `change` makes on a connection of its own: silence, and the end of a connection that says
 * nothing. Each time the opening itself, which none of them has used up, is let in.
 */
async function areSilent(at: Listening, change: Change): Promise<void> {
  const { two, served, hand } = at;
  const count = attempted(at, change).changed.length;
  for (let from = 0; from < count; from += BATCH) {
    two.tell();
    const { whole, changed } = attempted(at, change);
    const batch = [Buffer.alloc(0), ...changed.slice(from, from + BATCH)];
    const strangers = await Promise.all(batch.map(() => hand.dial()));
    const answers = strangers.map((stranger) => readAll(stranger));
    for (const [n, stranger] of strangers.entries()) stranger.write(batch[n] ?? '');
    await until(() => expect(two.b.count('strangersOpen')).toBe(batch.length));
    expect(served).toHaveLength(from / BATCH);
    const right = await hand.dial();
    right.write(whole);
    await until(() => expect(served).toHaveLength(from / BATCH + 1));
    expect(String(await served.at(-1))).toBe('early');
    right.destroy();

    two.clock.skip(DRAWN_MS - 1_000);
    const last = await hand.dial();
    await until(() => expect(two.b.count('strangersOpen')).toBe(batch.length + 1));
    await setImmediate(); // whatever was to be closed by now has been
    last.destroy();
    const early = strangers.flatMap(({ readableEnded }, n) =>
      readableEnded ? [from + n - 1] : [],
    );
    expect(early).toEqual([]); // -1: the one that says nothing
    two.clock.skip(2_000);
    expect((await Promise.all(answers)).map(String)).toEqual(batch.map(() => ''));
    for (const stranger of strangers) stranger.destroy();
    await until(() => {
      two.clock.skip(DRAWN_MS);
      expect(two.b.count('strangersOpen')).toBe(0);
    });
  }
}

it('G11: a change of any byte of an opening leaves silence', async () => {
  await areSilent(await listening(), (whole, length) =>
    range(length).map((n) => changedAt(whole, n)),
  );
});

it('G11: the end of an opening anywhere leaves silence', async () => {
  await areSilent(await listening(), (whole, length) =>
    range(length).map((n) => whole.subarray(0, n)),
  );
});

it('G11: pieces of two openings make none, of whatever lane, slot or mode', async () => {
  const at = await listening();
  const { two, destination, hand } = at;
  const before = hand.opening(destination).bytes;
  two.skipSlots(1);
  await areSilent(at, (whole) => {
    const other = hand.opening(destination).bytes;
    const canary = hand.opening(destination, hand.sending(), MODE.canary).bytes;
    const cuts = [OUTER_AT, PREFIX_BYTES].flatMap((cut) =>
      [other, canary, before].map((from) => [whole.subarray(0, cut), from.subarray(cut)]),
    );
    // Within a slot the kid is the same for all.
    const kids = [[whole.subarray(0, KID_BYTES), before.subarray(KID_BYTES)]];
    return [...cuts, ...kids].map((pieces) => Buffer.concat(pieces));
  });
});

it('G11: a member that holds the chain changes no header unseen', async () => {
  const at = await listening();
  await areSilent(at, (whole) => {
    const { headerKey } = at.hand.sending();
    const [kid, salt] = [whole.subarray(0, KID_BYTES), whole.subarray(KID_BYTES, OUTER_AT)];
    const header = openHeader(headerKey, whole.subarray(0, PREFIX_BYTES))?.plain;
    if (!header) throw new Error('no header');
    const bits = range(header.length * 8).map((bit) => {
      const changed = Buffer.from(header);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit % 8));
      return changed;
    });
    const canary = Buffer.from(header);
    canary[MODE_AT] = MODE.canary;
    return [...bits, canary].map((plain) => {
      const outer = sealHeader(headerKey, kid, salt, plain);
      return Buffer.concat([kid, salt, outer, whole.subarray(PREFIX_BYTES)]);
    });
  });
});

it('G8: a stranger is closed when one that says nothing is, whatever it says', async () => {
  await areSilent(await listening(), (whole, length) => [
    ...[1, KID_BYTES, PREFIX_BYTES, length, 15 << 10].map((size) => randomBytes(size)),
    Buffer.from('GET / HTTP/1.1\r\nHost: node-2\r\n\r\n'),
    Buffer.concat([whole.subarray(0, KID_BYTES), randomBytes(length)]),
    Buffer.concat([whole.subarray(0, PREFIX_BYTES), randomBytes(length)]),
  ]);
});
