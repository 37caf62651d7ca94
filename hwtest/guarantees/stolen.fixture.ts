// What stolen private keys are good for: the pair secrets of their X25519 halves with every statement on
// the bus, and the sealed messages that their X-Wing halves open. Asymmetric operations of an attacker,
// so they are not those of the product and not counted.
import { createPublicKey, diffieHellman, type KeyObject } from 'node:crypto';
import { Aes256Gcm, CipherSuite, HkdfSha256 } from '@hpke/core';
import { XWing } from '@hpke/hybridkem-x-wing';
import { fromB64url, type Bytes } from '#agent/base/bytes.ts';
import { openSecrets, sealKeyName, type Envelope, type Secrets } from '#agent/epochs/sealed.ts';

/** Lane keys of every statement among the messages of a bus, each 32 bytes. */
export const lanesOnBus = (bus: readonly string[]): Buffer[] =>
  bus
    .map((message) => JSON.parse(message) as { readonly lane?: string })
    .flatMap(({ lane }) => (lane === undefined ? [] : [fromB64url(lane)]));

/** X25519 of every stolen key with every public one. */
export const pairsOf = (stolen: readonly KeyObject[], lanes: readonly Bytes[]): Buffer[] =>
  stolen
    .filter(({ asymmetricKeyType }) => asymmetricKeyType === 'x25519')
    .flatMap((privateKey) =>
      lanes.map((lane) =>
        diffieHellman({
          privateKey,
          publicKey: createPublicKey({
            key: Buffer.from(lane),
            format: 'raw-public',
            asymmetricKeyType: 'x25519',
          }),
        }),
      ),
    );

const hpke = new CipherSuite({
  kem: new XWing(),
  kdf: new HkdfSha256(),
  aead: new Aes256Gcm(),
});

/** The secrets of every sealed message on the bus that one of `values`, 32 bytes each, is the key of. */
export async function unsealed(
  values: readonly Bytes[],
  bus: readonly string[],
): Promise<Secrets[]> {
  const kem = new XWing();
  const stolen = new Map<string, { readonly public: Bytes; readonly recipientKey: CryptoKey }>();
  for (const value of values) {
    const { privateKey, publicKey } = await kem.generateKeyPairDerand(Uint8Array.from(value));
    const raw = new Uint8Array(await kem.serializePublicKey(publicKey));
    stolen.set(sealKeyName(raw), { public: raw, recipientKey: privateKey });
  }
  const found: Secrets[] = [];
  for (const message of bus) {
    const { kind, payload } = JSON.parse(message) as { kind?: string; payload?: Envelope };
    const key = kind === 'sealed' && payload ? stolen.get(payload.sealKey) : undefined;
    if (!key || !payload) continue;
    const { recipientKey } = key;
    const open = async (sealed: { enc: Bytes; ciphertext: Bytes }, info: Bytes) => {
      const { enc, ciphertext } = sealed;
      const params = { recipientKey, enc: enc.slice(), info: info.slice() };
      return Buffer.from(await hpke.open(params, ciphertext.slice()));
    };
    found.push(await openSecrets(payload, { public: key.public, open }));
  }
  return found;
}
