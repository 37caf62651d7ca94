// Sealed messages (PROTOCOL 4): the only way a chain secret travels. HPKE to one node's one-use seal
// key, signed by the conductor over what it is for.
import { z } from 'zod';
import {
  sealTo,
  type SealKey,
  type SigningKey,
  type SigningPublic,
} from '#agent/base/asymmetric.ts';
import type { NodeName, Sid, Slot } from '#agent/base/brands.ts';
import {
  b64url,
  concat,
  field,
  fromB64url,
  fromHex,
  hex,
  sha256,
  truncate,
  utf8,
  type Bytes,
} from '#agent/base/bytes.ts';
import { jcs } from '#agent/base/jcs.ts';
import { b64Text, b64TextMax, chainId, nodeName, parseAs, sid, slot } from '#agent/base/schema.ts';
import {
  BOTH,
  ED25519_ONLY,
  signDocument,
  verifyDocument,
  type SignatureAlg,
  type SignedDocument,
} from '#agent/base/signed.ts';
import { chipsAlgorithm } from '#proxy/chips/registry.ts';
import { recordCount, recordPeriodMs } from './record.ts';
import type { OwnStatement } from './statement.ts';

const KIND = 'sealed';
const HEX32 = z.string().regex(/^[0-9a-f]{64}$/);

const envelopeSchema = z.strictObject({
  v: z.literal(1),
  /** The newest record when the message was sealed, or the record whose root it carries. */
  recordHash: HEX32,
  conductor: z.strictObject({ node: nodeName, sid }),
  node: nodeName,
  sid,
  /** Names the seal key used: T(8, SHA-256(public)), hex. */
  sealKey: z.string().regex(/^[0-9a-f]{16}$/),
  slot,
  enc: b64Text(1120),
  ciphertext: b64TextMax(256 * 1024),
});

const chainSchema = z.strictObject({
  chainId,
  generation: recordCount,
  term: recordCount,
  epoch: recordCount,
  recordHash: HEX32,
  rosterDigest: HEX32,
  conductor: nodeName,
  atSlot: slot,
  periodMs: recordPeriodMs,
  algorithm: z.int().refine((id) => chipsAlgorithm(id) !== undefined, 'must be a CHIPS id'),
  begins: z.enum(['epoch', 'heal', 'revoke']),
  /** The slot of `key`. */
  slot,
  key: b64Text(32),
});

const secretsSchema = z.strictObject({
  /** A generation's root, 32 bytes; absent for a newcomer, who computes nothing older. */
  root: b64Text(32).optional(),
  chains: z.array(chainSchema).max(2048),
});

export type Envelope = z.infer<typeof envelopeSchema>;
export type SealedChain = z.infer<typeof chainSchema>;
export type Secrets = z.infer<typeof secretsSchema>;

export interface Recipient {
  readonly node: NodeName;
  readonly sid: Sid;
  /** X-Wing public key, newest known. */
  readonly seal: Bytes;
}

export const sealKeyName = (publicKey: Bytes): string => hex(truncate(8, sha256(publicKey)));

/** The HPKE info of a sealed message (PROTOCOL 4.5): what binds it to its record and recipient. */
export const hpkeInfo = (recordHash: string, node: NodeName, sid: Sid): Buffer =>
  concat(utf8('tidelock/seal/v1'), fromHex(recordHash), field(node), fromHex(sid));

/** Signed by Ed25519 alone where it is a root, to which its record commits, signed by both algorithms. */
export function sealSecrets(
  secrets: Secrets,
  to: Recipient,
  about: {
    readonly recordHash: string;
    readonly slot: Slot;
    readonly conductor: Envelope['conductor'];
  },
  key: SigningKey,
): SignedDocument {
  const plaintext = jcs(secrets);
  const sealed = sealTo(to.seal, hpkeInfo(about.recordHash, to.node, to.sid), plaintext);
  plaintext.fill(0);
  return signDocument(
    KIND,
    {
      v: 1,
      recordHash: about.recordHash,
      conductor: about.conductor,
      node: to.node,
      sid: to.sid,
      sealKey: sealKeyName(to.seal),
      slot: about.slot,
      enc: b64url(sealed.enc),
      ciphertext: b64url(sealed.ciphertext),
    },
    key,
    secrets.chains.length === 0 ? ED25519_ONLY : BOTH,
  );
}

/** Seals for one recipient in the name of the conductor whose statement this is. */
export const sealFor = (
  conductor: OwnStatement,
  recipient: Recipient,
  secrets: Secrets,
  recordHash: string,
  slot: Slot,
): SignedDocument => {
  const { node, sid } = conductor.statement;
  return sealSecrets(
    secrets,
    recipient,
    { recordHash, slot, conductor: { node, sid } },
    conductor.sign,
  );
};

const MAX_USED_SEALS = 50_000;

/** Seal keys that a message was sealed to: each is used once (PROTOCOL 2). */
export class UsedSeals {
  readonly #names = new Set<string>();

  /** False when the key was used before. */
  claim(seal: Bytes): boolean {
    const name = sealKeyName(seal);
    if (this.#names.has(name)) return false;
    const oldest = this.#names.values().next();
    if (this.#names.size >= MAX_USED_SEALS && !oldest.done) this.#names.delete(oldest.value);
    this.#names.add(name);
    return true;
  }
}

const claimSchema = z.object({
  payload: z.looseObject({ conductor: envelopeSchema.shape.conductor }),
});

/** Who claims to have sealed, to find the key to verify with. */
export const claimedSealer = (document: unknown): Envelope['conductor'] | undefined =>
  claimSchema.safeParse(document).data?.payload.conductor;

/**
 * What is around secrets that `conductor` has sealed; chains among them count only by BOTH signatures.
 * Errors: DOCUMENT_MALFORMED, SIGNATURE_INVALID.
 */
export const openEnvelope = (
  document: unknown,
  conductor: SigningPublic,
  algs: readonly SignatureAlg[] = ED25519_ONLY,
): Envelope =>
  parseAs(envelopeSchema, verifyDocument(document, KIND, [conductor], algs), {
    code: 'DOCUMENT_MALFORMED',
    op: 'sealed.parse',
    what: 'sealed message',
    hint: 'The conductor runs an incompatible version; upgrade agents one minor version at a time.',
  });

/** Opens an authenticated envelope with the key it names. Errors: DOCUMENT_MALFORMED. */
export function openSecrets(envelope: Envelope, seal: SealKey): Secrets {
  const failure = {
    code: 'DOCUMENT_MALFORMED',
    op: 'sealed.open',
    what: 'sealed message',
    hint: 'It was sealed to a key that is no longer held; the agent asks the conductor to seal again.',
  } as const;
  let plaintext: Buffer;
  try {
    plaintext = seal.open(
      { enc: fromB64url(envelope.enc), ciphertext: fromB64url(envelope.ciphertext) },
      hpkeInfo(envelope.recordHash, envelope.node, envelope.sid),
    );
  } catch {
    return parseAs(secretsSchema, undefined, failure);
  }
  try {
    return parseAs(secretsSchema, JSON.parse(plaintext.toString()), failure);
  } finally {
    plaintext.fill(0);
  }
}
