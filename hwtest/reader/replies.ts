// PROTOCOL 6.3: the reply to an opening. Whether the check in it is right is for who holds the chain.
import { Cursor, hex, join, uint } from './bytes.ts';
import { refuse } from './refused.ts';
import { aeadOf, frameKeysOf, nonceOf, opened, s2cOf, type Aead } from './secrets.ts';
import type { Given, JsonObject, Rows } from './vectors.ts';

const PLAIN_BYTES = 48;
const CONFIRMED_BYTES = 32;

/** chainId, slot and check; all zero where none is confirmed. */
const confirmedOf = (given: Given): Uint8Array => {
  if (!given.has('confirmed')) return new Uint8Array(CONFIRMED_BYTES);
  const confirmed = given.object('confirmed');
  return join(
    confirmed.bytes('chainId'),
    uint(8, confirmed.number('slot')),
    confirmed.bytes('check'),
  );
};

/** The secrets that a reply is made from. */
interface Opened {
  readonly suite: number;
  readonly ls: Uint8Array;
  readonly transcript: Uint8Array;
}

const openedOf = (given: Given): Opened => ({
  suite: given.number('suite'),
  ls: given.bytes('ls'),
  transcript: given.bytes('transcript'),
});

/** The AEAD of a reply, under the salt that it begins with. */
function replyAead({ suite, ls, transcript }: Opened, replySalt: Uint8Array): Aead {
  const { key, iv } = frameKeysOf(s2cOf(ls, transcript, replySalt));
  return aeadOf(suite, key, nonceOf(iv, 0), replySalt);
}

/** What a reply says. */
interface ReadReply {
  readonly replySalt: Uint8Array;
  readonly code: number;
  /** The chain that it names, with slot and check, as vectors expect it. */
  readonly confirmed: JsonObject | undefined;
}

/** What a reply of 80 bytes says. */
export function readReply(known: Opened, reply: Uint8Array): ReadReply {
  const whole = new Cursor(reply, '6.3');
  const replySalt = whole.take(16);
  const plain = opened('6.3', replyAead(known, replySalt), whole.rest());
  if (plain.length !== PLAIN_BYTES) refuse('6.3', 'another length');
  const fields = new Cursor(plain, '6.3');
  const code = fields.uint(1);
  const confirmed = readConfirmed(fields.take(CONFIRMED_BYTES));
  if (fields.rest().some((byte) => byte !== 0)) refuse('6.3', 'a byte behind the check');
  return { replySalt, code, confirmed };
}

function readConfirmed(bytes: Uint8Array): JsonObject | undefined {
  if (bytes.every((byte) => byte === 0)) return undefined;
  const fields = new Cursor(bytes, '6.3');
  return { chainId: hex(fields.take(16)), slot: fields.uint(8), check: hex(fields.take(8)) };
}

/** The rows of section 6.3. */
export const replyRows: Rows = {
  reply: (given) => {
    const known = openedOf(given);
    const replySalt = given.bytes('replySalt');
    const said = join(uint(1, given.number('code')), confirmedOf(given));
    const plain = join(said, new Uint8Array(PLAIN_BYTES - said.length));
    return {
      s2c: hex(s2cOf(known.ls, known.transcript, replySalt)),
      plain: hex(plain),
      reply: hex(join(replySalt, replyAead(known, replySalt).encrypt(plain))),
    };
  },
  readReply: (given) => {
    const { code, confirmed } = readReply(openedOf(given), given.bytes('reply'));
    return { code, accepts: code === 0, ...(confirmed && { confirmed }) };
  },
};
