import { describe, expect, it } from 'vitest';
import { podAddress } from './podAddress.ts';

describe('podAddress()', () => {
  it.each([
    ['10.0.0.1', '10.0.0.1'],
    ['240.0.0.1', '240.0.0.1'],
    ['FD00::00AA', 'fd00::aa'],
    ['2001:db8:0:0::1', '2001:db8::1'],
  ])('writes %s in its one form', (text, form) => {
    expect(podAddress(text)).toBe(form);
  });

  it.each([
    '127.0.0.1',
    '0.0.0.0',
    '169.254.169.254',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '0:0::0:1',
    'fe80::1',
    'fe80::1%eth0',
    'ff02::1',
    '::ffff:127.0.0.1',
    '::ffff:10.0.0.1',
    '10.0.0.300',
    'pod',
    '',
  ])('knows that %j is no pod’s', (text) => {
    expect(podAddress(text)).toBeUndefined();
  });
});
