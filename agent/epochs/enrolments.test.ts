import { describe, expect, test } from 'vitest';
import { generateSigningKey, type SigningKey } from '#agent/base/asymmetric.ts';
import type { NodeName } from '#agent/base/brands.ts';
import { signDocument } from '#agent/base/signed.ts';
import { ENROLMENT_KIND, type Enrolment } from '#attest/enrolment.ts';
import { Enrolments } from './enrolments.ts';

const B = 'node-b' as NodeName;
const owner = generateSigningKey();
const stranger = generateSigningKey();

/** What the bus says of any node, one document at a time. */
function enrolments() {
  const bus: { document: unknown } = { document: undefined };
  const revoked: { at?: number; until?: number; revokedAt?: number } = {};
  const time = { nowMs: 5000 };
  const held = new Enrolments({
    owners: [owner.public],
    domain: 'example.org',
    cluster: 'c',
    policy: { bank: 'sha256', enforce: [] },
    enrolmentOf: () => Promise.resolve(bus.document),
    revocationOf: (node) =>
      revoked.at === undefined
        ? undefined
        : {
            v: 1,
            domain: 'example.org',
            cluster: 'c',
            node,
            reason: 'lost',
            issuedAt: revoked.at,
            ...(revoked.until === undefined ? {} : { until: revoked.until }),
            ...(revoked.revokedAt === undefined ? {} : { revokedAt: revoked.revokedAt }),
          },
    clock: { wallMs: () => time.nowMs, monoMs: () => 0, after: () => () => undefined },
  });
  const after = (issuedAt: number, change: Partial<Enrolment> = {}, key: SigningKey = owner) => {
    const enrolment: Enrolment = {
      v: 1,
      domain: 'example.org',
      cluster: 'c',
      node: B,
      ekDigest: '0'.repeat(64),
      akName: '0'.repeat(68),
      reference: { bank: 'sha256', pcrs: {} },
      issuedAt,
      ...change,
    };
    bus.document = signDocument(ENROLMENT_KIND, enrolment, key);
    return held.of(B);
  };
  return { bus, held, revoked, time, after };
}

const OLDER = {
  why: expect.stringMatching(/1970-01-01T00:00:01.000Z, and an owner has signed one/),
};

describe('Enrolments.of()', () => {
  test('gives what an owner signed, again and in its renewal', async () => {
    const { after } = enrolments();
    for (const at of [1000, 1000, 2000]) expect(await after(at)).toMatchObject({ issuedAt: at });
  });

  test('refuses one that is older than the newest it has seen of the node', async () => {
    const { after } = enrolments();
    await after(2000);
    expect(await after(1000)).toEqual(OLDER);
    expect(await after(2000)).toMatchObject({ issuedAt: 2000 });
  });

  test.each<[string, Partial<Enrolment>, SigningKey]>([
    ['of another node', { node: 'node-c' as NodeName }, owner],
    ['of another cluster', { cluster: 'd' }, owner],
    ['of another domain', { domain: 'example.net' }, owner],
    ['by nobody who may', {}, stranger],
  ])('is held back by none %s', async (_what, change, key) => {
    const { after } = enrolments();
    await after(9000, change, key);
    expect(await after(1000)).toMatchObject({ issuedAt: 1000 });
  });

  test('gives none that an owner has revoked since, and the one that came after', async () => {
    const { after, revoked } = enrolments();
    revoked.at = 2000;
    const why = 'was revoked by an owner at 1970-01-01T00:00:02.000Z: lost';
    for (const at of [1000, 1999, 2000]) expect(await after(at)).toEqual({ why });
    expect(await after(2001)).toMatchObject({ issuedAt: 2001 });
  });

  test('gives none in a quarantine, and the same again when it is over, but for what was revoked before', async () => {
    const { after, revoked, time } = enrolments();
    Object.assign(revoked, { at: 2000, until: 6000, revokedAt: 1000 });
    const during =
      'was quarantined by an owner at 1970-01-01T00:00:02.000Z until 1970-01-01T00:00:06.000Z: lost';
    for (const at of [1000, 1001, 2000]) expect(await after(at)).toEqual({ why: during });
    time.nowMs = 6000;
    const why = 'was revoked by an owner at 1970-01-01T00:00:01.000Z';
    expect(await after(1000)).toEqual({ why });
    expect(await after(1001)).toMatchObject({ issuedAt: 1001 });
  });

  test('says why there is none', async () => {
    const { bus, held, after } = enrolments();
    expect(await held.of(B)).toEqual({ why: 'node-b is not enrolled' });
    bus.document = { any: 'thing' };
    expect(await held.of(B)).toEqual({ why: expect.stringMatching(/not a signed document/) });
    expect(await after(1000, {}, stranger)).toEqual({
      why: expect.stringMatching(/not signed by/),
    });
  });
});
