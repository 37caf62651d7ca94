// G9 by construction: one function seals what travels, to X-Wing and to nothing else, and each of the two
// halves of X-Wing is needed to open it. That nothing secret travels otherwise is noKeyTravels.hw.test.ts.
import { randomBytes } from 'node:crypto';
import { Aes256Gcm, CipherSuite, HkdfSha256, KemId } from '@hpke/core';
import { XWing } from '@hpke/hybridkem-x-wing';
import { expect, it } from 'vitest';
import { sealTo } from '#agent/base/asymmetric.ts';
import { importsOf, isProduct, sourceFiles } from '#hwtest/gates/sources.ts';

/** IANA: X-Wing, draft-connolly-cfrg-xwing-kem. */
const X_WING = 0x647a;
/** Of `enc`: the ciphertext of ML-KEM-768, then the X25519 public key. */
const ML_KEM_BYTES = 1088;
const X25519_BYTES = 32;

const hpke = new CipherSuite({ kem: new XWing(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });
const info = Buffer.from('info');
const secret = randomBytes(32);

it('G9: sealTo() seals by HPKE with X-Wing, as another party reads it', async () => {
  expect(KemId.XWing).toBe(X_WING);
  expect(hpke.kem.id).toBe(X_WING);
  const { privateKey, publicKey } = await hpke.kem.generateKeyPair();
  const raw = new Uint8Array(await hpke.kem.serializePublicKey(publicKey));
  const { enc, ciphertext } = sealTo(raw, info, secret);
  const open = async (given: Uint8Array): Promise<Buffer> =>
    Buffer.from(
      await hpke.open(
        { recipientKey: privateKey, enc: given.slice(), info: info.slice() },
        ciphertext.slice(),
      ),
    );
  expect(await open(enc)).toEqual(secret);
  expect(enc).toHaveLength(ML_KEM_BYTES + X25519_BYTES);
  for (const at of [0, ML_KEM_BYTES - 1, ML_KEM_BYTES, enc.length - 2]) {
    const changed = Uint8Array.from(enc);
    changed[at] = (changed[at] ?? 0) ^ 1;
    await expect(open(changed), `byte ${at}`).rejects.toThrow();
  }
});

it('G9: the sealed messages of the epoch plane are the only ones that anything seals', () => {
  const sealing = sourceFiles(isProduct).filter(
    (file) =>
      !file.path.startsWith('hwtest/') &&
      importsOf(file).some(({ names }) => names.includes('sealTo')),
  );
  expect(sealing.map(({ path }) => path)).toEqual(['agent/epochs/sealed.ts']);
});
