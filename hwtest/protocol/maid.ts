// Vectors of MAID (PROTOCOL 9): aliases, tokens, endorsements, and pairs of them that are refused.
import { signingKeyFromSeeds, verifyEd25519 } from '#agent/base/asymmetric.ts';
import type { NodeName, Slot, SpiffeId } from '#agent/base/brands.ts';
import { concat, field, fromHex, type Bytes } from '#agent/base/bytes.ts';
import {
  aliasOf,
  readMaid,
  signEndorsement,
  signToken,
  type Endorsement,
  type MaidToken,
} from '#proxy/maid.ts';
import { RECEIVER, SLOT, SOURCE, seed } from './cast.ts';
import { flipped } from './changed.ts';
import type { Vector } from './vector.ts';

const signer = (name: string) => {
  const ed25519 = seed(name);
  const key = signingKeyFromSeeds({ ed25519, mldsa65: seed(name) });
  return {
    seed: ed25519,
    public: key.public.ed25519,
    sign: (message: Bytes) => key.ed25519(message, 'tokens'),
  };
};
/** Ed25519 half of the source's `sign`. */
export const NODE_KEY = signer('node a sign');
const WORKLOAD_KEY = signer('workload');

/** What stands before the first text of a token. */
const TEXTS_AT = 1 + 8 + 16 + 16 + 3 * 32;

const ALIAS_SECRET = seed('alias secret');
const TOKEN: MaidToken = {
  slot: SLOT,
  alias: aliasOf(ALIAS_SECRET, SLOT),
  sid: SOURCE.sid,
  node: SOURCE.node,
  spiffeId: 'spiffe://example.org/prod/shop/web' as SpiffeId,
  podUid: '5f0f3f4e-6f0c-4f0e-9a43-1f1f1f1f1f1f',
  imageDigest: `sha256:${'0123456789abcdef'.repeat(4)}`,
  evidenceDigest: seed('evidence'),
  prev: Buffer.alloc(32),
  history: Buffer.alloc(32),
};
const ENDORSEMENT: Endorsement = {
  workloadKey: WORKLOAD_KEY.public,
  sid: TOKEN.sid,
  spiffeId: TOKEN.spiffeId,
  podUid: TOKEN.podUid,
};
/** What the openings of the vectors carry. */
export const SIGNED_TOKEN = signToken(TOKEN, WORKLOAD_KEY.sign);
export const SIGNED_ENDORSEMENT = signEndorsement(ENDORSEMENT, NODE_KEY.sign);

export function maidVectors(): Vector[] {
  const noImage = { ...TOKEN, imageDigest: '' };
  return [
    ...[0, SLOT].map((slot) => ({
      name: `of slot ${slot}`,
      compute: 'alias',
      given: { aliasSecret: ALIAS_SECRET, slot },
      expect: { alias: aliasOf(ALIAS_SECRET, slot as Slot) },
    })),
    ...[TOKEN, noImage].map((token) => ({
      name: token.imageDigest === '' ? 'without an image' : 'with an image',
      compute: 'token',
      given: { ...token, workloadSeed: WORKLOAD_KEY.seed },
      expect: { workloadKey: WORKLOAD_KEY.public, token: signToken(token, WORKLOAD_KEY.sign) },
    })),
    {
      name: 'by the node',
      compute: 'endorsement',
      given: { ...ENDORSEMENT, nodeSeed: NODE_KEY.seed },
      expect: { nodeKey: NODE_KEY.public, endorsement: SIGNED_ENDORSEMENT },
    },
    {
      name: 'a token and its endorsement',
      compute: 'readMaid',
      given: shown(SIGNED_TOKEN, SIGNED_ENDORSEMENT),
      expect: { ...TOKEN, workloadKey: WORKLOAD_KEY.public },
    },
    longest(),
    ...refusals().map(([name, token, endorsement]) => refusal(name, token, endorsement)),
  ];
}

/** Every text as long as it may be; the dots in its path are no segments of their own. */
function longest(): Vector {
  const start = `spiffe://${'d'.repeat(255)}/.../..a/`;
  const token: MaidToken = {
    ...TOKEN,
    node: 'n'.repeat(253) as NodeName,
    spiffeId: start.padEnd(512, 'p') as SpiffeId,
    podUid: 'é'.repeat(64),
    imageDigest: 'i'.repeat(128),
  };
  const { spiffeId, podUid } = token;
  const signed = shown(signToken(token, WORKLOAD_KEY.sign), endorsementWith({ spiffeId, podUid }));
  if (!readMaid(signed.token, signed.endorsement, NODE_KEY.public)) throw new Error('refused');
  return {
    name: 'texts of the greatest length',
    compute: 'readMaid',
    given: signed,
    expect: { ...token, workloadKey: WORKLOAD_KEY.public },
  };
}

const shown = (token: Bytes, endorsement: Bytes) => ({
  token,
  endorsement,
  nodeKey: NODE_KEY.public,
});

const tokenWith = (change: Partial<MaidToken>): Buffer =>
  signToken({ ...TOKEN, ...change }, WORKLOAD_KEY.sign);

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
    ['they name two workloads', tokenWith({ spiffeId: other }), e],
    ['they name two pods', tokenWith({ podUid: 'another' }), e],
    ['they name two statements', t, endorsementWith({ sid: RECEIVER.sid })],
    ['the endorsed key is another', t, endorsementWith({ workloadKey: NODE_KEY.public })],
    ['the pod has no name', tokenWith({ podUid: '' }), endorsementWith({ podUid: '' })],
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
