import { expect, it } from 'vitest';
import { fromHex } from '#agent/base/bytes.ts';
import type { Check } from './check.ts';
import { bankCheck } from './bank.ts';
import type { PolicyBank } from './owned.ts';
import { pcrText, referenceChecks } from './reference.ts';

const A = 'aa'.repeat(32);
const B = 'bb'.repeat(32);
const C = 'cc'.repeat(32);

interface Case {
  readonly quoted: string;
  readonly enrolled?: string;
  readonly logged?: string;
  readonly warn?: boolean;
  readonly referenceBank?: PolicyBank;
}

/** The one check of PCR 4. */
function judge({ quoted, enrolled, logged, warn = false, referenceBank = 'sha256' }: Case): Check {
  const [check] = referenceChecks(
    { bank: 'sha256', enforce: warn ? [] : [4], warn: warn ? [4] : [] },
    { bank: referenceBank, pcrs: enrolled === undefined ? {} : { 4: enrolled } },
    new Map([[4, fromHex(quoted)]]),
    logged === undefined ? undefined : new Map([[4, fromHex(logged)]]),
  );
  if (check === undefined) throw new Error('one register, one check');
  return check;
}

it('referenceChecks() passes a register that holds its enrolled value', () => {
  expect(judge({ quoted: A, enrolled: A, logged: B })).toMatchObject({
    name: 'PCR 4',
    result: 'pass',
    ceiling: 'affirming',
  });
});

it('referenceChecks() says that a register was extended after boot', () => {
  expect(judge({ quoted: B, enrolled: A, logged: A })).toMatchObject({
    result: 'fail',
    ceiling: 'contraindicated',
    text: 'PCR 4 (boot loader): sha256 bbbbbbbbbbbbbbbb.. is not the enrolled aaaaaaaaaaaaaaaa..; extended after boot, not in the event log. Find the program that used the TPM, then reboot the node.',
  });
});

it('referenceChecks() says that the boot itself was another one', () => {
  const { text } = judge({ quoted: B, enrolled: A, logged: B });
  expect(text).toContain('measured at boot, the event log accounts for it.');
  expect(text).toContain('enrol the node again');
});

it('referenceChecks() says so when the log explains nothing, or is missing', () => {
  expect(judge({ quoted: B, enrolled: A, logged: C }).text).toContain('accounts for neither value');
  expect(judge({ quoted: B, enrolled: A }).text).toContain('there is no event log to tell why');
});

it('referenceChecks() only warns of a register that the policy only warns of', () => {
  expect(judge({ quoted: B, enrolled: A, warn: true })).toMatchObject({
    result: 'fail',
    ceiling: 'warning',
  });
});

it('referenceChecks() never passes a register without a reference value', () => {
  const missing = { result: 'not checked', ceiling: 'none' };
  expect(judge({ quoted: A })).toMatchObject(missing);
  expect(judge({ quoted: A, enrolled: A, referenceBank: 'sha384' })).toMatchObject(missing);
  expect(judge({ quoted: A, warn: true })).toMatchObject({ ...missing, ceiling: 'warning' });
});

it('pcrText() names what a register holds', () => {
  expect(pcrText(7)).toBe('PCR 7 (Secure Boot policy)');
  expect(pcrText(16)).toBe('PCR 16');
});

it('bankCheck() refuses a bank that is active but was never extended (CVE-2021-42299)', () => {
  const zero = Buffer.alloc(32);
  const firmware = [0, 1, 2, 3, 4, 5, 6, 7];
  const virgin = new Map<number, Buffer>(firmware.map((pcr) => [pcr, zero]));
  // An operating system that extends PCR 11 later does not make up for silent firmware.
  expect(bankCheck('sha256', new Map(virgin).set(11, fromHex(A)))).toMatchObject({
    result: 'fail',
    ceiling: 'contraindicated',
  });
  expect(bankCheck('sha256', new Map(virgin).set(4, fromHex(A))).result).toBe('pass');
  expect(bankCheck('sha256', new Map([[11, fromHex(A)]]))).toMatchObject({
    result: 'not checked',
    ceiling: 'none',
  });
});
