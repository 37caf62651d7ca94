// What a reader makes of enrolments by two agents beside those by owners, and beside revocations.
import { describe, expect, it } from 'vitest';
import type { NodeName } from '#agent/base/brands.ts';
import type { Json } from '#agent/base/jcs.ts';
import type { Revocation } from '#attest/revocation.ts';
import {
  ENDORSED_MS,
  endorsedBy,
  endorserOf,
  NEWCOMER,
  payloadOf,
  PLACE,
  terms,
} from '#attest/testdata/endorsed.ts';
import { Enrolments } from './enrolments.ts';

const good = endorsedBy();
const later = endorsedBy({ payload: payloadOf({ issuedAt: ENDORSED_MS + 1 }) });
const byOwner = endorserOf(NEWCOMER, 'RSA', { issuedAt: 1 }).document;
const revocation = (node: string, change: Partial<Revocation>): Revocation => ({
  v: 1,
  ...PLACE,
  node: node as NodeName,
  reason: 'lost',
  issuedAt: 1,
  ...change,
});

function readerOf(takesEndorsed = true) {
  const bus = new Map<string, Json>();
  const revoked = new Map<string, Revocation>();
  const time = { nowMs: ENDORSED_MS };
  const enrolments = new Enrolments({
    ...PLACE,
    ...terms,
    takesEndorsed,
    enrolmentOf: (node) => Promise.resolve(bus.get(node)),
    revocationOf: (node) => revoked.get(node),
    clock: { wallMs: () => time.nowMs, monoMs: () => 0, after: () => () => undefined },
  });
  const of = (document?: Json) => {
    if (document !== undefined) bus.set(NEWCOMER, document);
    return enrolments.of(NEWCOMER);
  };
  return { bus, revoked, time, enrolments, of };
}

describe('Enrolments.of() an enrolment by two agents', () => {
  it('gives it, and who endorsed it, again and in its renewal', async () => {
    const { of } = readerOf();
    const endorsers = { endorsedBy: ['node-a', 'node-b'] };
    expect(await of(good)).toMatchObject({ issuedAt: ENDORSED_MS, ...endorsers });
    expect(await of(good)).toMatchObject({ issuedAt: ENDORSED_MS, ...endorsers });
    expect(await of(later)).toMatchObject({ issuedAt: ENDORSED_MS + 1, ...endorsers });
    expect(await of(good)).toMatchObject({
      why: expect.stringMatching(/two nodes have endorsed one of/) as string,
    });
  });

  it('refuses it without a delegation here', async () => {
    const why = expect.stringMatching(/only where attestation.delegationFile is set/) as string;
    expect(await readerOf(false).of(good)).toEqual({ why });
  });

  it('refuses it beside one by an owner, however old, which counts after it, too', async () => {
    const { of } = readerOf();
    expect(await of(good)).toMatchObject({ node: NEWCOMER });
    expect(await of(byOwner)).toMatchObject({ issuedAt: 1 });
    const why = expect.stringMatching(/an owner has enrolled it, too/) as string;
    expect(await of(later)).toEqual({ why });
  });

  it.each<[string, Partial<Revocation>]>([
    ['for good, before it was endorsed', {}],
    ['for good, after', { issuedAt: ENDORSED_MS + 5 }],
    ['for a time that is not over', { until: ENDORSED_MS + 1 }],
    ['for good, before a quarantine that is over', { until: 1, revokedAt: 1 }],
  ])('refuses it of a node that is out %s', async (_what, change) => {
    const { of, revoked, enrolments } = readerOf();
    const word = revocation(NEWCOMER, change);
    revoked.set(NEWCOMER, word);
    expect(await of(good)).toMatchObject({
      why: expect.stringMatching(/^was (revoked|quar)/) as string,
    });
    expect(await enrolments.after(word)).toBeUndefined();
  });

  it('brings nobody back who was endorsed before: after() knows none', async () => {
    const { of, enrolments } = readerOf();
    await of(good);
    expect(await enrolments.after(revocation(NEWCOMER, {}))).toBeUndefined();
    const over = revocation(NEWCOMER, { until: 1 });
    expect(await enrolments.after(over)).toBe(ENDORSED_MS);
  });

  it('gives it again when a quarantine is over', async () => {
    const { of, revoked, time } = readerOf();
    revoked.set(NEWCOMER, revocation(NEWCOMER, { until: ENDORSED_MS + 1 }));
    expect(await of(good)).toHaveProperty('why');
    time.nowMs += 1;
    expect(await of()).toMatchObject({ node: NEWCOMER });
  });

  it.each<[string, Partial<Revocation>]>([
    ['for good, since', { issuedAt: ENDORSED_MS + 1 }],
    ['for good, before it endorsed', { issuedAt: ENDORSED_MS - 1 }],
    ['for a time', { issuedAt: ENDORSED_MS + 1, until: ENDORSED_MS + 2 }],
  ])('refuses it while an endorser is out %s', async (_what, change) => {
    const { of, revoked } = readerOf();
    expect(await of(good)).toMatchObject({ node: NEWCOMER });
    revoked.set('node-b', revocation('node-b', change));
    const why = expect.stringMatching(
      /^node-b, which endorsed it, was .* move its enrolment/,
    ) as string;
    expect(await of()).toEqual({ why });
  });

  it('takes it of an endorser that was revoked before it was enrolled', async () => {
    const { of, revoked } = readerOf();
    revoked.set('node-b', revocation('node-b', { issuedAt: 1 }));
    expect(await of(good)).toMatchObject({ node: NEWCOMER });
  });

  it('refuses it when an endorser has another TPM by now, and not for a new boot state of the same', async () => {
    const { of, bus, enrolments } = readerOf();
    const node = 'node-b' as NodeName;
    bus.set(
      node,
      endorserOf(node, 'RSA', { issuedAt: ENDORSED_MS, reference: { bank: 'sha256', pcrs: {} } })
        .document,
    );
    await enrolments.of(node);
    expect(await of(good)).toMatchObject({ node: NEWCOMER });
    bus.set(node, endorserOf(node, 'ECC', { issuedAt: ENDORSED_MS + 1 }).document);
    await enrolments.of(node);
    const why = expect.stringMatching(/node-b, which endorsed it, has another TPM/) as string;
    expect(await of()).toEqual({ why });
  });

  it('says why a changed one is refused', async () => {
    const changed = { ...good, payload: payloadOf({ issuedAt: ENDORSED_MS + 2 }) };
    const why = expect.stringMatching(/the quote of node-a does not hold/) as string;
    expect(await readerOf().of(changed)).toEqual({ why });
  });
});
