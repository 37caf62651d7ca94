import { hash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concat, fromHex, u16, u32, u64, type Bytes } from '#agent/base/bytes.ts';
import { writeEventLog } from '#attest/eventlog/write.ts';
import { replay } from '#attest/eventlog/replay.ts';
import { parseEventLog } from '#attest/eventlog/parse.ts';
import { BOOT } from '#attest/testdata/boot.ts';
import { asciiList, fileEntries, fileEntry, pcr10After } from '#attest/testdata/imaEntries.ts';
import { flipped, hostile, outcome } from '#attest/testdata/hostile.ts';
import {
  AK_ATTRIBUTES,
  goodFields,
  madeNonce,
  madePcrs,
  makeAk,
  makeAttest,
  tpmSignature,
  type AttestField,
} from '#attest/testdata/quote.ts';
import { verdictOf } from '#attest/check.ts';
import { trustVector } from '#attest/trustVector.ts';
import type { PcrValues } from '#attest/quote.ts';
import { ATTRIBUTE, parsePublic } from '#attest/tpm/public.ts';
import { judgeQuote, type QuoteAppraisal, type QuoteEvidence } from './judge.ts';
import { readAttestationKey } from './key.ts';

const ak = makeAk('RSA');
const attest = makeAttest();
const evidence: QuoteEvidence = {
  message: attest,
  signature: tpmSignature(ak, attest),
  key: readAttestationKey(ak.area),
  akName: parsePublic(ak.area).name,
  nonce: madeNonce,
  bank: 'sha256',
  pcrs: new Map([['sha256', madePcrs]]),
};

/** The quote with some fields replaced, signed by the key as they are. */
function signed(changed: Partial<Record<AttestField, Bytes>>): QuoteEvidence {
  const message = makeAttest(changed);
  return { ...evidence, message, signature: tpmSignature(ak, message) };
}
const failed = ({ checks }: QuoteAppraisal): string[] =>
  checks.filter(({ result }) => result === 'fail').map(({ name }) => name);
const skipped = ({ checks }: QuoteAppraisal): string[] =>
  checks.filter(({ result }) => result === 'not checked').map(({ name }) => name);

it('judgeQuote() says every field of a good quote, and warns that nobody calls its values good', () => {
  const answer = judgeQuote(evidence);
  expect(verdictOf(answer.checks)).toBe('warning');
  expect(answer.checks.filter(({ ceiling }) => ceiling !== 'affirming')).toMatchObject([
    { name: 'reference values', text: expect.stringContaining('--reference') as string },
  ]);
  expect(failed(answer)).toEqual([]);
  expect(skipped(answer)).toEqual(['reference values']);
  expect(answer.attest).toEqual({
    magic: 'ff544347',
    type: '8018',
    qualifiedSigner: '03'.repeat(34),
    extraData: '4e'.repeat(20),
    clockInfo: { clock: 1000, resetCount: 2, restartCount: 1, safe: 1 },
    firmwareVersion: '2019102300163636',
    pcrSelect: [{ alg: 'sha256', pcrs: [...madePcrs.keys()] }],
    pcrDigest: hash('sha256', concat(...madePcrs.values()), 'hex'),
  });
  expect(answer.claims).toMatchObject({ pcrs: { sha256: { '10': '0b'.repeat(32) } } });
});

it('judgeQuote() takes a quote of an ECC key', () => {
  const ecc = makeAk('ECC');
  const signature = tpmSignature(ecc, attest);
  const answer = judgeQuote({
    ...evidence,
    signature,
    key: readAttestationKey(ecc.area),
    akName: undefined,
  });
  expect(verdictOf(answer.checks)).toBe('warning');
  expect(failed(answer)).toEqual([]);
});

describe('trap 2: judgeQuote() refuses what is no quote, though the key signed it', () => {
  it.each([
    ['another magic', { magic: fromHex('ff544348') }],
    ['an unknown type', { type: fromHex('8030') }],
    ['bytes after it', { pcrDigest: concat(goodFields.pcrDigest, Buffer.alloc(1)) }],
  ])('%s, which is malformed', (_, changed) => {
    expect(() => judgeQuote(signed(changed))).toThrow('Cannot read TPMS_ATTEST');
  });

  it('the time of the TPM, in the bytes of a quote', () => {
    const answer = judgeQuote(signed({ type: fromHex('8019') }));
    expect(failed(answer)).toEqual(['quote format']);
    expect(answer).toMatchObject({ attest: null, claims: {} });
  });
});

describe('judgeQuote() with every field of TPMS_ATTEST changed and signed', () => {
  it.each<[AttestField, Bytes, readonly string[]]>([
    ['qualifiedSigner', concat(u16(2), u16(9)), []],
    ['extraData', concat(u16(2), u16(9)), ['nonce']],
    ['extraData', u16(0), ['nonce']],
    ['clock', u64(999), []],
    ['resetCount', u32(3), []],
    ['restartCount', u32(0), []],
    ['safe', fromHex('00'), []],
    ['firmwareVersion', Buffer.alloc(8), []],
    ['selectionCount', u32(0), ['malformed']],
    ['bank', u16(0x000c), ['PCR selection', 'PCR bank']],
    ['pcrSelect', fromHex('03ff0f00'), ['PCR selection']],
    ['pcrSelect', fromHex('03ff0300'), ['PCR digest']],
    ['pcrSelect', fromHex('03000000'), ['PCR selection']],
    ['pcrDigest', concat(u16(32), Buffer.alloc(32)), ['PCR digest']],
    ['pcrDigest', u16(0), ['PCR digest']],
  ])('%s', (field, bytes, expected) => {
    const changed = signed({ [field]: bytes });
    if (expected.includes('malformed')) {
      expect(() => judgeQuote(changed)).toThrow('Cannot read TPMS_ATTEST');
      return;
    }
    const answer = judgeQuote(changed);
    expect(failed(answer)).toEqual(expected);
    expect(answer.attest).not.toBeNull();
  });

  it.each(Object.keys(goodFields) as AttestField[])(
    '%s, unsigned: nothing of it is told',
    (field) => {
      const bytes = goodFields[field];
      const message = makeAttest({ [field]: flipped(bytes, bytes.length - 1) });
      let answer: QuoteAppraisal;
      try {
        answer = judgeQuote({ ...evidence, message });
      } catch (error) {
        expect(error).toMatchObject({ code: 'EVIDENCE_MALFORMED' });
        return;
      }
      expect(failed(answer)).toEqual(['quote signature']);
      expect(answer).toMatchObject({ attest: null, claims: {} });
    },
  );
});

describe('trap 4: judgeQuote() keeps log, quote and policy to one bank', () => {
  it('a quote of another bank', () => {
    const sha1 = new Map([[0, Buffer.alloc(20, 1)]]);
    const pcrs = new Map([...evidence.pcrs, ['sha1', sha1] as const]);
    const pcrDigest = concat(u16(32), hash('sha256', Buffer.alloc(20, 1), 'buffer'));
    const quote = signed({ bank: u16(0x0004), pcrSelect: fromHex('03010000'), pcrDigest });
    expect(failed(judgeQuote({ ...quote, pcrs }))).toContain('PCR bank');
    const asked = judgeQuote({ ...quote, pcrs, bank: 'sha1' });
    expect(failed(asked)).toEqual(['PCR bank']);
    expect(verdictOf(asked.checks)).toBe('warning'); // SHA-1 was asked for, and collides
  });

  it('a bank that nothing extended', () => {
    const empty: PcrValues = new Map(Array.from(madePcrs.keys(), (pcr) => [pcr, Buffer.alloc(32)]));
    const digest = hash('sha256', concat(...empty.values()), 'buffer');
    const quote = signed({ pcrDigest: concat(u16(32), digest) });
    const answer = judgeQuote({ ...quote, pcrs: new Map([['sha256', empty]]) });
    expect(failed(answer)).toEqual(['PCR bank']);
    expect(verdictOf(answer.checks)).toBe('contraindicated');
  });

  it('a log of another bank', () => {
    const eventLog = writeEventLog(BOOT, ['sha384']);
    const answer = judgeQuote({ ...evidence, eventLog });
    expect(failed(answer)).toEqual(['event log']);
    expect(verdictOf(answer.checks)).toBe('contraindicated');
  });
});

describe('trap 5: judgeQuote() knows that an unrestricted key signs a perfect fake', () => {
  it.each(['restricted', 'sign', 'fixedTPM', 'fixedParent', 'sensitiveDataOrigin'] as const)(
    'a key that is not %s',
    (attribute) => {
      const { area } = makeAk('RSA', AK_ATTRIBUTES & ~ATTRIBUTE[attribute]);
      const answer = judgeQuote({ ...evidence, key: readAttestationKey(area), akName: undefined });
      expect(failed(answer)).toEqual(['AK attributes']);
      expect(answer.checks[0]?.text).toContain(`not ${attribute}:`);
      expect(verdictOf(answer.checks)).toBe('contraindicated');
    },
  );

  const bare = readAttestationKey(ak.publicKey.export({ type: 'spki', format: 'der' }));

  it('a bare key, whose attributes are not known', () => {
    const answer = judgeQuote({ ...evidence, key: bare, akName: undefined });
    expect(skipped(answer)).toEqual(['AK attributes', 'AK name', 'reference values']);
    expect(trustVector(answer.checks)).toMatchObject({ 'instance-identity': 32 });
  });

  it('a key of another Name', () => {
    const answer = judgeQuote({ ...evidence, akName: flipped(parsePublic(ak.area).name, 33) });
    expect(failed(answer)).toEqual(['AK name']);
  });

  it('a bare key, of which a Name was asked for', () => {
    const answer = judgeQuote({ ...evidence, key: bare });
    expect(verdictOf(answer.checks)).toBe('warning'); // no worse than if none was asked for
    const name = answer.checks.find((check) => check.name === 'AK name');
    expect(name).toMatchObject({ result: 'not checked', ceiling: 'warning' });
    expect(name?.text).toContain('Give the TPM2B_PUBLIC');
  });
});

it.each([
  ['of the same boot', { clock: u64(1001) }],
  ['of a later restart', { restartCount: u32(2), clock: u64(0) }],
  ['of a later boot', { resetCount: u32(3), clock: u64(0) }],
])('judgeQuote() refuses a quote from before one %s', (_, changed) => {
  expect(failed(judgeQuote({ ...evidence, previous: makeAttest(changed) }))).toEqual(['TPM clock']);
  expect(failed(judgeQuote({ ...signed(changed), previous: attest }))).toEqual([]);
});

it('judgeQuote() takes the quoted ones of more values, and says which it does not confirm', () => {
  const all = new Map([...madePcrs, [23, Buffer.alloc(32, 9)] as const]);
  const answer = judgeQuote({ ...evidence, pcrs: new Map([['sha256', all]]) });
  expect(failed(answer)).toEqual([]);
  expect(answer.checks.at(-1)?.text).toContain('PCR 23 were given and are not quoted');
  expect(answer.claims).not.toHaveProperty(['pcrs', 'sha256', '23']);
});

it('judgeQuote() refuses a quote of a register whose value is missing', () => {
  const fewer = new Map([...madePcrs].slice(1));
  const answer = judgeQuote({ ...evidence, pcrs: new Map([['sha256', fewer]]) });
  expect(failed(answer)).toContain('PCR selection');
  expect(answer.claims).toEqual({});
});

describe('judgeQuote() with an event log and an IMA list', () => {
  const eventLog = writeEventLog(BOOT, ['sha256']);
  const boot = replay(parseEventLog(eventLog), 'sha256');
  const registers = Array.from(
    { length: 10 },
    (_, pcr): Buffer => boot.get(pcr) ?? Buffer.alloc(32),
  );
  const aggregate = hash('sha256', concat(...registers), 'buffer');
  const entries = [fileEntry('boot_aggregate', aggregate), ...fileEntries(5).slice(1)];
  const pcrs = new Map<number, Buffer>([
    ...registers.entries(),
    [10, fromHex(pcr10After(entries, 'sha256'))],
  ]);
  const pcrDigest = concat(u16(32), hash('sha256', concat(...pcrs.values()), 'buffer'));
  const imaList = asciiList(entries);
  const booted = { ...signed({ pcrDigest }), pcrs: new Map([['sha256', pcrs]] as const) };

  it('has nothing but reference values missing when all agree', () => {
    const answer = judgeQuote({ ...booted, eventLog, imaList });
    expect(failed(answer)).toEqual([]);
    expect(answer.checks.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['event log', 'IMA list', 'IMA entries', 'IMA boot aggregate']),
    );
    expect(verdictOf(answer.checks)).toBe('warning');
    expect(skipped(answer)).toEqual(['reference values']);
    expect(trustVector(answer.checks)).toMatchObject({ executables: 32 });
  });

  it('trap 8: takes a list that grew between the quote and its reading', () => {
    const grown = concat(imaList, asciiList([fileEntry('/later')]));
    const answer = judgeQuote({ ...booted, eventLog, imaList: grown });
    expect(failed(answer)).toEqual([]);
    expect(answer.checks.find(({ name }) => name === 'IMA list')?.text).toContain(
      'after the quote',
    );
  });

  it('fails a log that is not of this boot', () => {
    const other = writeEventLog(BOOT.slice(1), ['sha256']);
    const answer = judgeQuote({ ...booted, eventLog: other });
    expect(failed(answer)).toEqual(['event log']);
    expect(verdictOf(answer.checks)).toBe('contraindicated');
  });

  it('refuses files that are no log and no list', () => {
    const text = Buffer.from('this is text');
    expect(() => judgeQuote({ ...booted, eventLog: text })).toThrow('Cannot read event log');
    expect(() => judgeQuote({ ...booted, imaList: text })).toThrow('Cannot read IMA list');
  });

  it('fails a list of other files, and one of another boot', () => {
    const other = asciiList([...entries.slice(0, -1), fileEntry('/usr/bin/evil')]);
    expect(failed(judgeQuote({ ...booted, imaList: other }))).toEqual(['IMA list']);
    const elsewhere = [fileEntry('boot_aggregate', Buffer.alloc(32, 9))];
    const moved = new Map(pcrs).set(10, fromHex(pcr10After(elsewhere, 'sha256')));
    const digest = concat(u16(32), hash('sha256', concat(...moved.values()), 'buffer'));
    const quote = { ...signed({ pcrDigest: digest }), pcrs: new Map([['sha256', moved]] as const) };
    const answer = judgeQuote({ ...quote, imaList: asciiList(elsewhere) });
    expect(failed(answer)).toEqual(['IMA boot aggregate']);
  });

  it('holds nothing against values that the TPM did not quote', () => {
    const answer = judgeQuote({ ...booted, pcrs: evidence.pcrs, eventLog, imaList });
    expect(failed(answer)).toEqual(['PCR digest']);
    expect(skipped(answer)).toEqual(expect.arrayContaining(['event log', 'IMA list']));
    expect(answer.claims).toEqual({});
  });
});

it('judgeQuote() appraises any bytes, or says that they are malformed', () => {
  const samples = {
    message: attest,
    signature: evidence.signature,
    imaList: asciiList(fileEntries(2)),
  };
  for (const [field, sample] of Object.entries(samples)) {
    fc.assert(
      fc.property(hostile(sample), (bytes) => {
        const answer = outcome(() => judgeQuote({ ...evidence, [field]: bytes }), bytes);
        if (answer === 'malformed' || Buffer.from(bytes).equals(sample)) return;
        expect(verdictOf(answer.checks)).not.toBe('affirming');
      }),
      { numRuns: 60 },
    );
  }
});
