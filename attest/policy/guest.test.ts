import { expect, it } from 'vitest';
import { generateSigningKey } from '#agent/base/asymmetric.ts';
import { utf8 } from '#agent/base/bytes.ts';
import { readSnpPolicy } from '#attest/snp/policy.ts';
import { readTdxPolicy } from '#attest/tdx/policy.ts';
import { signReferencePolicy } from './document.ts';
import { guestPolicy } from './guest.ts';

const owner = generateSigningKey();
const signed = utf8(
  JSON.stringify(
    signReferencePolicy(
      {
        v: 1,
        name: 'guests',
        issuedAt: 0,
        bank: 'sha256',
        registers: { 4: 'enforce' },
        components: [],
        snp: { v: 1, min_tcb: { snp: 8 } },
      },
      owner,
    ),
  ),
);
const code = (name: string): Error => expect.objectContaining({ code: name }) as Error;

it('guestPolicy() gives the section of a policy that an owner signed', () => {
  expect(readSnpPolicy(guestPolicy(signed, 'snp', [owner.public]))).toMatchObject({
    min_tcb: { snp: 8 },
  });
  expect(() => guestPolicy(signed, 'tdx', [owner.public])).toThrow(code('POLICY_INVALID'));
  const stranger = generateSigningKey().public;
  expect(() => guestPolicy(signed, 'snp', [stranger])).toThrow(code('SIGNATURE_INVALID'));
  expect(() => guestPolicy(signed, 'snp', [])).toThrow(code('USAGE'));
});

it('guestPolicy() leaves a guest’s own policy, and what is none, to its reader', () => {
  const own = utf8('{"v":1,"accept_tcb_status":["OutOfDate"]}');
  expect(guestPolicy(own, 'tdx', [])).toBe(own);
  expect(readTdxPolicy(guestPolicy(own, 'tdx', []))).toMatchObject({ v: 1 });
  expect(() => readTdxPolicy(guestPolicy(utf8('{'), 'tdx', []))).toThrow(code('POLICY_INVALID'));
});

it('guestPolicy() takes nothing unsigned where owners are named', () => {
  for (const unsigned of ['{"v":1,"roots":["00"]}', '{"v":1,"kind":"other"}', '{', '']) {
    for (const section of ['snp', 'tdx'] as const) {
      const read = () => guestPolicy(utf8(unsigned), section, [owner.public]);
      expect(read).toThrow(code('SIGNATURE_INVALID'));
    }
  }
});
