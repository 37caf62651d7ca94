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

const MALFORMED = expect.objectContaining({ code: 'DOCUMENT_MALFORMED' }) as Error;

describe('openSecrets()', () => {
  test('gives the recipient what was sealed, once', () => {
    const seal = generateSealKey();
    const document = sealSecrets(
      secrets,
      { node: NODE, sid: SID, seal: seal.public },
      about,
      conductor,
    );
    const envelope = openEnvelope(document, conductor.public);
    expect(openSecrets(envelope, seal)).toEqual(secrets);
    expect(() => openSecrets(envelope, seal)).toThrow(MALFORMED);
  });

  test('opens for no other key, record, node, statement or ciphertext', () => {
    const seal = generateSealKey();
    const document = sealSecrets(
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
      expect(() => openSecrets({ ...envelope, ...change }, seal)).toThrow(MALFORMED);
    }
    expect(() => openSecrets(envelope, generateSealKey())).toThrow(MALFORMED);
    expect(openSecrets(envelope, seal)).toEqual(secrets); // what failed used nothing up
  });
});

describe('openEnvelope()', () => {
  test('refuses any other signer and any changed field', () => {
    const seal = generateSealKey();
    const document = sealSecrets(
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
  test('gives each key once', () => {
    const used = new UsedSeals();
    const { public: seal } = generateSealKey();
    expect([used.claim(seal), used.claim(seal)]).toEqual([true, false]);
  });
});
