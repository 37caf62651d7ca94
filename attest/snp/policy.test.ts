import { expect, it } from 'vitest';
import { utf8 } from '#agent/base/bytes.ts';
import { NO_SNP_POLICY, readSnpPolicy } from './policy.ts';

const read = (policy: unknown) => readSnpPolicy(utf8(JSON.stringify(policy)));

it('readSnpPolicy() fills in what is left out as if there were no policy', () => {
  expect(read({ v: 1 })).toEqual(NO_SNP_POLICY);
  expect(read({ v: 1, min_tcb: { snp: 8 }, allow_debug: true })).toEqual({
    ...NO_SNP_POLICY,
    min_tcb: { snp: 8 },
    allow_debug: true,
  });
});

it.each<[string, unknown]>([
  ['min_firmware', { v: 1, min_firmware: '1.55' }],
  ['required_mit_vector', { v: 1, required_mit_vector: '3' }],
  ['measurement.0', { v: 1, measurement: ['AB'.repeat(48)] }],
  ['measurement.0', { v: 1, measurement: ['ab'.repeat(32)] }],
  ['measurement', { v: 1, measurement: [] }],
  ['min_tcb', { v: 1, min_tcb: { ucode: 8 } }],
  ['min_tcb', { v: 1, min_tcb: {} }],
  ['min_launch_tcb', { v: 1, min_launch_tcb: {} }],
  ['min_tcb.snp', { v: 1, min_tcb: { snp: 256 } }],
  ['max_vmpl', { v: 1, max_vmpl: 4 }],
  ['products.0', { v: 1, products: ['Rome'] }],
  ['measurment', { v: 1, measurment: [] }],
  ['v', {}],
  ['(top)', 'debug'],
])('readSnpPolicy() names %s in what is wrong with %j', (path, policy) => {
  expect(() => read(policy)).toThrow(path);
});

it('readSnpPolicy() ends in POLICY_INVALID on what is no JSON', () => {
  expect(() => readSnpPolicy(utf8('{"v":1'))).toThrow(
    expect.objectContaining({ code: 'POLICY_INVALID' }),
  );
});
