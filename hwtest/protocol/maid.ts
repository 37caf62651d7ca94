// Vectors of MAID (PROTOCOL 9): aliases, tokens, endorsements and pairs of them. What is refused of them is in
// refusedMaid.ts.
import { signingKeyFromSeeds } from '#agent/base/asymmetric.ts';
import type { NodeName, Slot, SpiffeId } from '#agent/base/brands.ts';
import type { Bytes } from '#agent/base/bytes.ts';
import {
  aliasOf,
  readMaid,
  signEndorsement,
  signToken,
  type Endorsement,
  type MaidToken,
} from '#proxy/maid.ts';
import { SLOT, SOURCE, seed } from './cast.ts';
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
/** Of the workload that the vectors' tokens name. */
export const WORKLOAD_KEY = signer('workload');

const ALIAS_SECRET = seed('alias secret');
/** What it says, in the slot of the vectors. */
export const TOKEN: MaidToken = {
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
/** What the source says of it. */
export const ENDORSEMENT: Endorsement = {
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
  const signed = shown(
    signToken(token, WORKLOAD_KEY.sign),
    signEndorsement({ ...ENDORSEMENT, spiffeId, podUid }, NODE_KEY.sign),
  );
  if (!readMaid(signed.token, signed.endorsement, NODE_KEY.public)) throw new Error('refused');
  return {
    name: 'texts of the greatest length',
    compute: 'readMaid',
    given: signed,
    expect: { ...token, workloadKey: WORKLOAD_KEY.public },
  };
}

/** As vectors give them. */
export const shown = (token: Bytes, endorsement: Bytes) => ({
  token,
  endorsement,
  nodeKey: NODE_KEY.public,
});
