// What stolen private keys are good for: the pair secrets of their X25519 halves with every statement on
// the bus, and the sealed messages that their X-Wing halves open. Asymmetric operations of an attacker,
// so they are not those of the product and not counted.
import { createPublicKey, diffieHellman, type KeyObject } from 'node:crypto';
import { fromB64url, type Bytes } from '#agent/base/bytes.ts';
import { hpkeOpen, xwingPublic } from '#agent/base/hpke.ts';
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

/** The secrets of every sealed message on the bus that one of `values`, 32 bytes each, is the key of. */
export function unsealed(values: readonly Bytes[], bus: readonly string[]): Secrets[] {
  const stolen = new Map(values.map((seed) => [sealKeyName(xwingPublic(seed)), seed]));
  return bus.flatMap((message) => {
    const { kind, payload } = JSON.parse(message) as { kind?: string; payload?: Envelope };
    const seed = kind === 'sealed' && payload ? stolen.get(payload.sealKey) : undefined;
    if (!seed || !payload) return [];
    const key = { public: xwingPublic(seed), open: hpkeOpen.bind(undefined, seed) };
    return [openSecrets(payload, key)];
  });
}
