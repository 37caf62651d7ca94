// PROTOCOL 2: the node statement, its sid and key id, the end of a lane and the pair of two.
import { sha256 } from '@noble/hashes/sha2.js';
import { base64url, field, hex, join, truncate } from './bytes.ts';
import { jcs } from './jcs.ts';
import { publicHalf, x25519 } from './keys.ts';
import { refuse } from './refused.ts';
import { xwingPublic } from './sealed.ts';
import type { Given, Rows } from './vectors.ts';

/** Whether a text names a node. */
export const isNodeName = (text: string): boolean =>
  text.length <= 253 && /^[a-z0-9](?:[a-z0-9.\-]*[a-z0-9])?$/v.test(text);

/** A node under one of its statements; the sid has 16 bytes. */
export interface End {
  readonly node: string;
  readonly sid: Uint8Array;
}

/** The end that an object `{node, sid}` names. */
export const endOf = (given: Given): End => ({ node: given.text('node'), sid: given.bytes('sid') });

/** `end(node, sid)`. */
export const end = ({ node, sid }: End): Uint8Array => join(field(node), sid);

/** The public halves of a `sign`, one behind the other, of its private halves. */
export const signKey = (given: Given): Uint8Array =>
  join(
    publicHalf('ed25519', given.bytes('ed25519Seed')),
    publicHalf('ml-dsa-65', given.bytes('mldsa65Seed')),
  );

/** The key id of a `sign`. */
export const keyId = (sign: Uint8Array): string =>
  base64url(truncate(16, sha256(join('tidelock/key/v1', sign))));

/** The rows of section 2. */
export const statementRows: Rows = {
  statement: (given) => {
    const sign = signKey(given);
    const statement = jcs({
      v: 1,
      domain: given.text('domain'),
      cluster: given.text('cluster'),
      node: given.text('node'),
      sign: base64url(sign),
      lane: base64url(publicHalf('x25519', given.bytes('laneKey'))),
      seal: base64url(xwingPublic(given.bytes('sealSeed'))),
      algorithms: given.json('algorithms'),
      issuedAt: given.number('issuedAt'),
      nonce: base64url(given.bytes('nonce')),
    });
    return {
      statement: hex(statement),
      sid: hex(truncate(16, sha256(statement))),
      keyId: keyId(sign),
    };
  },
  pair: (given) => {
    const half = given.bytes('laneKey');
    const pair = x25519(half, given.bytes('peer')) ?? refuse('2', 'the pair is all zero');
    return { lane: hex(publicHalf('x25519', half)), pair: hex(pair) };
  },
  end: (given) => ({ end: hex(end(endOf(given))) }),
};
