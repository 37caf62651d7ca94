import { beforeAll, describe, expect, test } from 'vitest';
import { generateSealKey, generateSigningKey, type SigningKey } from '#agent/base/asymmetric.ts';
import type { NodeName, Sid, Slot } from '#agent/base/brands.ts';
import { b64url, fromB64url } from '#agent/base/bytes.ts';
import { openEnvelope, openSecrets, sealSecrets, UsedSeals, type Envelope } from './sealed.ts';

const NODE = 'node-b' as NodeName;
const SID = '12'.repeat(16) as Sid;
const secrets = { root: b64url(Buffer.alloc(32, 9)), chains: [] };
const about = {
  recordHash: 'ef'.repeat(32),
  slot: 7 as Slot,
  conductor: { node: 'node-a' as NodeName, sid: '34'.repeat(16) as Sid },
};

let conductor: SigningKey;
beforeAll(() => {
  conductor = generateSigningKey();
});

describe('openSecrets()', () => {
  test('gives the recipient what was sealed, once', async () => {
    const seal = await generateSealKey();
    const document = await sealSecrets(
      secrets,
      { node: NODE, sid: SID, seal: seal.public },
      about,
      conductor,
    );
    const envelope = openEnvelope(document, conductor.public);
    await expect(openSecrets(envelope, seal)).resolves.toEqual(secrets);
    await expect(openSecrets(envelope, seal)).rejects.toMatchObject({ code: 'DOCUMENT_MALFORMED' });
  });

  test('opens for no other key, record, node, statement or ciphertext', async () => {
    const seal = await generateSealKey();
    const document = await sealSecrets(
      secrets,
      { node: NODE, sid: SID, seal: seal.public },
      about,
      conductor,
    );
    const envelope = openEnvelope(document, conductor.public);
    const flipped = fromB64url(envelope.ciphertext);
    flipped[0]! ^= 1;
    const wrong: Partial<Envelope>[] = [
      { recordHash: '00'.repeat(32) },
      { node: 'node-c' as NodeName },
      { sid: '56'.repeat(16) as Sid },
      { ciphertext: b64url(flipped) },
    ];
    for (const change of wrong) {
      await expect(openSecrets({ ...envelope, ...change }, seal)).rejects.toMatchObject({
        code: 'DOCUMENT_MALFORMED',
      });
    }
    await expect(openSecrets(envelope, await generateSealKey())).rejects.toMatchObject({
      code: 'DOCUMENT_MALFORMED',
    });
    await expect(openSecrets(envelope, seal)).resolves.toEqual(secrets); // what failed used nothing up
  });
});

describe('openEnvelope()', () => {
  test('refuses any other signer and any changed field', async () => {
    const seal = await generateSealKey();
    const document = await sealSecrets(
      secrets,
      { node: NODE, sid: SID, seal: seal.public },
      about,
      conductor,
    );
    expect(() => openEnvelope(document, generateSigningKey().public)).toThrow(/not signed by/);
    for (const field of [
      'recordHash',
      'node',
      'sid',
      'sealKey',
      'slot',
      'enc',
      'ciphertext',
    ] as const) {
      const payload = { ...(document.payload as object), [field]: field === 'slot' ? 8 : 'aa' };
      expect(() => openEnvelope({ ...document, payload }, conductor.public), field).toThrow(
        /not signed by/,
      );
    }
  });
});

describe('UsedSeals.claim()', () => {
  test('gives each key once', async () => {
    const used = new UsedSeals();
    const { public: seal } = await generateSealKey();
    expect([used.claim(seal), used.claim(seal)]).toEqual([true, false]);
  });
});
