// Vectors of what stands for a node (PROTOCOL 2): its statement, sid, key id and pair secrets. Keys are made
// from seeds here, which the product never does: it draws them and cannot be given one.
import { createPrivateKey, createPublicKey, diffieHellman } from 'node:crypto';
import { Aes256Gcm, CipherSuite, HkdfSha256 } from '@hpke/core';
import { XWing } from '@hpke/hybridkem-x-wing';
import {
  encodeSigningPublic,
  generateLaneKey,
  signingKeyFromSeeds,
} from '#agent/base/asymmetric.ts';
import { b64url, type Bytes } from '#agent/base/bytes.ts';
import { jcs } from '#agent/base/jcs.ts';
import { parseStatement } from '#agent/epochs/statement.ts';
import { CLUSTER, DOMAIN, SENT_MS, SOURCE, seed } from './cast.ts';
import type { Vector } from './vector.ts';

const KEM = new XWing();
/** The suite of sealed messages, as agent/base/asymmetric.ts has it. */
export const HPKE = new CipherSuite({ kem: KEM, kdf: new HkdfSha256(), aead: new Aes256Gcm() });

/** An X-Wing key from its 32-byte seed, and the public half as statements carry it. */
export async function sealKeyFrom(sealSeed: Bytes) {
  const pair = await KEM.generateKeyPairDerand(Uint8Array.from(sealSeed));
  return { ...pair, public: Buffer.from(await KEM.serializePublicKey(pair.publicKey)) };
}

const laneKeyFrom = (privateKey: Bytes) =>
  createPrivateKey({
    key: Buffer.from(privateKey),
    format: 'raw-private',
    asymmetricKeyType: 'x25519',
  });

export const lanePublic = (privateKey: Bytes): Buffer =>
  createPublicKey(laneKeyFrom(privateKey)).export({ format: 'raw-public' });

export const statementVectors = async (): Promise<Vector[]> => [
  await statementVector(),
  pairVector('a', 'b'),
  pairVector('b', 'a'),
  ...LOW_ORDER.map(refusedPair),
];

const SIGN_SEEDS = { ed25519: seed('node a sign'), mldsa65: seed('node a sign, ML-DSA') };
/** The `sign` of the source. */
export const SIGN = signingKeyFromSeeds(SIGN_SEEDS);
const [LANE_KEY, SEAL_SEED, NONCE] = [seed('lane a'), seed('seal a'), seed('nonce', 16)];
const STATED = {
  domain: DOMAIN,
  cluster: CLUSTER,
  node: SOURCE.node,
  algorithms: [1, 17, 18, 33],
  issuedAt: SENT_MS,
};

/** What the source states: its members as JSON. */
export const stated = async () => ({
  v: 1,
  ...STATED,
  sign: b64url(encodeSigningPublic(SIGN.public)),
  lane: b64url(lanePublic(LANE_KEY)),
  seal: b64url((await sealKeyFrom(SEAL_SEED)).public),
  nonce: b64url(NONCE),
});

async function statementVector(): Promise<Vector> {
  const statement = jcs(await stated());
  return {
    name: 'of a node',
    compute: 'statement',
    given: {
      ...STATED,
      ed25519Seed: SIGN_SEEDS.ed25519,
      mldsa65Seed: SIGN_SEEDS.mldsa65,
      laneKey: LANE_KEY,
      sealSeed: SEAL_SEED,
      nonce: NONCE,
    },
    expect: { statement, sid: parseStatement(statement).sid, keyId: SIGN.keyId },
  };
}

/** `pair` of a private and a public lane key. */
export const agree = (laneKey: Bytes, peer: Bytes): Buffer =>
  diffieHellman({
    privateKey: laneKeyFrom(laneKey),
    publicKey: createPublicKey({
      key: Buffer.from(peer),
      format: 'raw-public',
      asymmetricKeyType: 'x25519',
    }),
  });

function pairVector(own: string, other: string): Vector {
  const laneKey = seed(`lane ${own}`);
  const peer = lanePublic(seed(`lane ${other}`));
  return {
    name: `${own} with ${other}`,
    compute: 'pair',
    given: { laneKey, peer },
    expect: { lane: lanePublic(laneKey), pair: agree(laneKey, peer) },
  };
}

/** Points of small order: whatever the key, the result is zero (RFC 7748 6.1). */
const LOW_ORDER: readonly Buffer[] = [
  Buffer.alloc(32),
  Buffer.alloc(32, 1).fill(0, 1),
  Buffer.from('e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800', 'hex'),
];

function refusedPair(peer: Buffer, at: number): Vector {
  let isRefused = false;
  try {
    generateLaneKey().agree(peer);
  } catch {
    isRefused = true;
  }
  if (!isRefused) throw new Error('a pair of all zeros is not refused');
  const given = { laneKey: seed('lane a'), peer };
  return { name: `a point of small order, ${at}`, compute: 'pair', given, refused: '2' };
}
