// Tokens and endorsements that are refused (PROTOCOL 9). They are signed by hand where the product would not write
// them.
import { verifyEd25519 } from '#agent/base/asymmetric.ts';
import type { SpiffeId } from '#agent/base/brands.ts';
import { concat, field, fromHex, type Bytes } from '#agent/base/bytes.ts';
import { readMaid, signEndorsement, type Endorsement } from '#proxy/maid.ts';
import { RECEIVER, SOURCE } from './cast.ts';
import { flipped } from './changed.ts';
import {
  ENDORSEMENT,
  NODE_KEY,
  SIGNED_ENDORSEMENT,
  SIGNED_TOKEN,
  TOKEN,
  WORKLOAD_KEY,
  shown,
} from './maid.ts';
import type { Vector } from './vector.ts';

export const refusedMaidVectors = (): Vector[] =>
  refusals().map(([name, token, endorsement]) => refusal(name, token, endorsement));

/** What stands before the first text of a token. */
const TEXTS_AT = 1 + 8 + 16 + 16 + 3 * 32;

const endorsementWith = (change: Partial<Endorsement>): Buffer =>
  signEndorsement({ ...ENDORSEMENT, ...change }, NODE_KEY.sign);

const signedAnew = (body: Bytes): Buffer =>
  concat(body, WORKLOAD_KEY.sign(concat(Buffer.from('tidelock/maid/v1\0'), body)));

/** A token of any texts, also of those that the product would not write. */
function tokenOf(change: Partial<Record<'node' | 'spiffeId' | 'podUid' | 'imageDigest', string>>) {
  const { node, spiffeId, podUid, imageDigest } = { ...TOKEN, ...change };
  return signedAnew(
    concat(
      SIGNED_TOKEN.subarray(0, TEXTS_AT),
      ...[node, spiffeId, podUid, imageDigest].map((text) => field(text)),
    ),
  );
}

/** An endorsement of any texts, also of those that the product would not write. */
function endorsementOf(spiffeId: string, podUid: string): Buffer {
  const body = concat(
    Buffer.of(1),
    WORKLOAD_KEY.public,
    fromHex(SOURCE.sid),
    field(spiffeId),
    field(podUid),
  );
  return concat(body, NODE_KEY.sign(concat(Buffer.from('tidelock/endorsement/v1\0'), body)));
}

/** Right in everything but the name of its workload. */
const named = (spiffeId: string): readonly [string, Buffer, Buffer] => [
  `${spiffeId.length > 80 ? `${spiffeId.length} characters of` : 'the'} SPIFFE ID ${spiffeId.slice(0, 50)}`,
  tokenOf({ spiffeId }),
  endorsementOf(spiffeId, TOKEN.podUid),
];

const NO_SPIFFE_IDS = [
  '',
  'spiffe://example.org',
  'spiffe://example.org/',
  'spiffe://example.org/a/',
  'spiffe://example.org//a',
  'spiffe://example.org/./a',
  'spiffe://example.org/a/..',
  'spiffe://Example.org/a',
  'spiffe://example.org:80/a',
  'spiffe://example.org/a%20b',
  'spiffe:///a',
  'https://example.org/a',
  `spiffe://${'d'.repeat(256)}/a`,
  'spiffe://example.org/'.padEnd(513, 'p'),
];

function refusals(): readonly (readonly [string, Buffer, Buffer])[] {
  const other = 'spiffe://example.org/prod/shop/db' as SpiffeId;
  const [t, e] = [SIGNED_TOKEN, SIGNED_ENDORSEMENT];
  const body = t.subarray(0, -64);
  return [
    ['the signature of the token is wrong', flipped(t, -1), e],
    ['the signature of the endorsement is wrong', t, flipped(e, -1)],
    ['the alias was changed after signing', flipped(t, 9), e],
    ['the token has another version', signedAnew(flipped(body, 0)), e],
    ['a byte follows the last text of the token', signedAnew(concat(body, Buffer.alloc(1))), e],
    ['the token ends within its last text', signedAnew(body.subarray(0, -1)), e],
    ['a text is no UTF-8', signedAnew(concat(body.subarray(0, -1), Buffer.from([0xff]))), e],
    ['they name two workloads', tokenOf({ spiffeId: other }), e],
    ['they name two pods', tokenOf({ podUid: 'another' }), e],
    ['they name two statements', t, endorsementWith({ sid: RECEIVER.sid })],
    ['the endorsed key is another', t, endorsementWith({ workloadKey: NODE_KEY.public })],
    ['the pod has no name', tokenOf({ podUid: '' }), endorsementWith({ podUid: '' })],
    ['token and endorsement are exchanged', e, t],
    ['the node has no name', tokenOf({ node: '' }), e],
    ['the node has a name in upper case', tokenOf({ node: 'Node-a' }), e],
    ['the name of the node ends with a dot', tokenOf({ node: 'node-a.' }), e],
    ['a name of 254 bytes', tokenOf({ node: 'n'.repeat(254) }), e],
    ['an imageDigest of 129 bytes', tokenOf({ imageDigest: 'i'.repeat(129) }), e],
    [
      'a podUid of 129 bytes',
      tokenOf({ podUid: 'p'.repeat(129) }),
      endorsementOf(TOKEN.spiffeId, 'p'.repeat(129)),
    ],
    ...NO_SPIFFE_IDS.map(named),
  ];
}

function refusal(name: string, token: Buffer, endorsement: Buffer): Vector {
  const read = readMaid(token, endorsement, NODE_KEY.public);
  const isRight = read?.checks.every(({ key, message, signature }) =>
    verifyEd25519(key, message, signature, 'tokens'),
  );
  if (isRight === true) throw new Error(`not refused: ${name}`);
  return { name, compute: 'readMaid', given: shown(token, endorsement), refused: '9' };
}
