// Vectors of sealed messages (PROTOCOL 4.5). The randomness of HPKE is given, as in the vectors of RFC 9180
// (`ekm`), by the same library that the product seals with; the product itself cannot be given any.
import { b64url, fromHex, hex, type Bytes } from '#agent/base/bytes.ts';
import { jcs } from '#agent/base/jcs.ts';
import { ChainKeeper } from '#agent/epochs/keeper.ts';
import { hpkeInfo, sealKeyName, type Envelope, type Secrets } from '#agent/epochs/sealed.ts';
import { PERIOD_MS, RECEIVER, SENT_MS, SLOT, SOURCE, seed } from './cast.ts';
import { flipped } from './changed.ts';
import { FIRST_RECORD, ROOT } from './records.ts';
import { HPKE, sealKeyFrom } from './statements.ts';
import type { Vector } from './vector.ts';

const RECORD_HASH = fromHex(FIRST_RECORD.hash);
const SEAL_SEED = seed('seal b');

/** What the conductor of the first record seals to a node that joins in its slot. */
export const SECRETS: Secrets = { chains: sealable() };

function sealable(): Secrets['chains'] {
  const keeper = new ChainKeeper({ maxStalenessMs: PERIOD_MS });
  keeper.accept(FIRST_RECORD);
  if (!keeper.giveRoot(FIRST_RECORD.hash, ROOT)) throw new Error('not the root of the record');
  return keeper.sealable(SENT_MS);
}

/** For a member that has the parent of every chain but not the root of the new generation. */
const ROOT_ONLY: Secrets = { root: b64url(ROOT), chains: [] };

async function seal(secrets: Secrets, name: string) {
  const { publicKey, public: raw } = await sealKeyFrom(SEAL_SEED);
  const ekm = seed(`ekm ${name}`, 64);
  const info = hpkeInfo(hex(RECORD_HASH), RECEIVER.node, RECEIVER.sid);
  const plain = jcs(secrets);
  const sender = { recipientPublicKey: publicKey, info: bytesOf(info), ekm: bytesOf(ekm) };
  const { enc, ct } = await HPKE.seal(sender, bytesOf(plain));
  return {
    sealKey: sealKeyName(raw),
    ekm,
    info,
    plain,
    enc: Buffer.from(enc),
    ciphertext: Buffer.from(ct),
  };
}

/** The plaintext of a message to the key of this seed; undefined: it does not open. */
export async function unseal(
  sealSeed: Bytes,
  info: Bytes,
  { enc, ciphertext }: { readonly enc: Bytes; readonly ciphertext: Bytes },
): Promise<Buffer | undefined> {
  const { privateKey } = await sealKeyFrom(sealSeed);
  const recipient = { recipientKey: privateKey, enc: bytesOf(enc), info: bytesOf(info) };
  const plain = await HPKE.open(recipient, bytesOf(ciphertext)).catch(() => undefined);
  return plain && Buffer.from(plain);
}

/** A copy whose memory begins with it, as the library wants it. */
const bytesOf = (bytes: Bytes): ArrayBuffer => Uint8Array.from(bytes).buffer;

/** What the conductor of the first record signs for the receiver. */
export async function envelope(): Promise<Envelope> {
  const { sealKey, enc, ciphertext } = await seal(SECRETS, 'chains');
  return {
    v: 1,
    recordHash: hex(RECORD_HASH),
    conductor: SOURCE,
    ...RECEIVER,
    sealKey,
    slot: SLOT,
    enc: b64url(enc),
    ciphertext: b64url(ciphertext),
  };
}

export async function sealedVectors(): Promise<Vector[]> {
  const made = [
    ['with the chains', await seal(SECRETS, 'chains')],
    ['with a root alone', await seal(ROOT_ONLY, 'root')],
  ] as const;
  const [[, first]] = made;
  return [
    ...made.map(([name, { ekm, enc, ciphertext, ...expect }]) => ({
      name,
      compute: 'sealed',
      given: { ...RECIPIENT, ekm, enc, ciphertext },
      expect,
    })),
    ...(await Promise.all(refusals(first).map(refused))),
  ];
}

const RECIPIENT = { recordHash: RECORD_HASH, ...RECEIVER, sealSeed: SEAL_SEED };

type Given = typeof RECIPIENT & { readonly enc: Buffer; readonly ciphertext: Buffer };

function refusals({ enc, ciphertext }: { enc: Buffer; ciphertext: Buffer }) {
  const good: Given = { ...RECIPIENT, enc, ciphertext };
  return [
    ['of another record', { ...good, recordHash: seed('another record') }],
    ['to another node', { ...good, ...SOURCE }],
    ['to another key', { ...good, sealSeed: seed('seal a') }],
    ['a changed enc', { ...good, enc: flipped(enc, 0) }],
    ['a changed ciphertext', { ...good, ciphertext: flipped(ciphertext, 0) }],
  ] as const;
}

async function refused([name, given]: readonly [string, Given]): Promise<Vector> {
  const info = hpkeInfo(hex(given.recordHash), given.node, given.sid);
  if (await unseal(given.sealSeed, info, given)) throw new Error(`not refused: ${name}`);
  return { name, compute: 'readSealed', given, refused: '4.5' };
}
