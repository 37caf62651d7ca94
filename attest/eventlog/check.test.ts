import { expect, it } from 'vitest';
import { concat } from '#agent/base/bytes.ts';
import { BOOT } from '#attest/testdata/boot.ts';
import { flipped } from '#attest/testdata/hostile.ts';
import { uefiVariable } from '#attest/testdata/uefi.ts';
import { checkEventLog } from './check.ts';
import { SHIM_LOCK } from './guid.ts';
import { parseEventLog } from './parse.ts';
import { replay } from './replay.ts';
import { writeEventLog } from './write.ts';

const log = writeEventLog(BOOT, ['sha1', 'sha256']);
const quoted = replay(parseEventLog(log), 'sha256');

/** The quoted values with one register changed. */
const changed = (pcr: number) =>
  new Map(quoted).set(pcr, flipped(quoted.get(pcr) ?? Buffer.alloc(32), 0));

const results = (bytes: Buffer, values = quoted, bank: 'sha256' | 'sha384' = 'sha256') =>
  checkEventLog(bytes, bank, values).checks.map(({ result, ceiling }) => `${result}, ${ceiling}`);

it('checkEventLog() passes a log that accounts for the quoted values', () => {
  expect(results(log)).toEqual(['pass, affirming', 'pass, affirming']);
  expect(checkEventLog(log, 'sha256', quoted).replayed).toEqual(quoted);
});

it('checkEventLog() warns when a firmware register went on after the log ended, and names it', () => {
  const { checks } = checkEventLog(log, 'sha256', changed(4));
  expect(checks[0]).toMatchObject({ result: 'fail', ceiling: 'warning' });
  expect(checks[0]?.text).toContain('PCR 4 differ');
});

it('checkEventLog() misses the events of a firmware register that were left out of the log', () => {
  const cut = writeEventLog(
    BOOT.filter(({ pcr }) => pcr !== 4 && pcr !== 7),
    ['sha256'],
  );
  const { checks } = checkEventLog(cut, 'sha256', quoted);
  expect(checks[0]).toMatchObject({ result: 'fail', ceiling: 'warning' });
  expect(checks[0]?.text).toContain('PCR 4, 7 differ');
  const only = new Map([...quoted].filter(([pcr]) => pcr === 7));
  expect(results(cut, only)[0]).toBe('fail, warning');
});

it('checkEventLog() takes a register that the log leaves alone for one at its start value', () => {
  const first = writeEventLog(BOOT.slice(0, 1), ['sha256']);
  const values = new Map(replay(parseEventLog(first), 'sha256')).set(6, Buffer.alloc(32));
  expect(results(first, values)).toEqual(['pass, affirming', 'pass, affirming']);
});

it('checkEventLog() checks no log whose registers are not quoted', () => {
  expect(results(log, new Map([[16, Buffer.alloc(32)]]))).toEqual(['not checked, affirming']);
});

it('checkEventLog() expects the operating system to go on extending its own registers', () => {
  const { checks } = checkEventLog(log, 'sha256', changed(11));
  expect(checks[0]?.result).toBe('pass');
  expect(checks[0]?.text).toContain('PCR 11 went on after boot');
});

it('checkEventLog() uses nothing of a log for another bank (bank confusion)', () => {
  const answer = checkEventLog(log, 'sha384', quoted);
  expect(answer.replayed).toBeUndefined();
  expect(answer.checks).toEqual([expect.objectContaining({ result: 'fail', ceiling: 'warning' })]);
});

it('checkEventLog() says that a log is missing, and that one is garbage', () => {
  expect(results(Buffer.alloc(0))).toEqual(['not checked, affirming']);
  expect(results(Buffer.from('garbage garbage garbage garbage garbage'))).toEqual([
    'fail, warning',
  ]);
});

it('checkEventLog() names the events whose data was edited, five at most', () => {
  const events = Array.from({ length: 8 }, (_, i) => ({
    pcr: 7,
    type: 'EV_EFI_VARIABLE_DRIVER_CONFIG',
    data: Buffer.from(`db ${i}`),
    measured: Buffer.from('something else'),
  }));
  const edited = writeEventLog(events, ['sha256']);
  const { checks } = checkEventLog(edited, 'sha256', replay(parseEventLog(edited), 'sha256'));
  expect(checks[1]).toMatchObject({ name: 'event log data', result: 'fail', ceiling: 'warning' });
  expect(checks[1]?.text).toContain('event 5 (EV_EFI_VARIABLE_DRIVER_CONFIG, PCR 7)');
  expect(checks[1]?.text).toContain('and 3 more');
});

it('checkEventLog() does not hold the stray byte of old shim against a node', () => {
  const data = uefiVariable(SHIM_LOCK, 'Shim', Uint8Array.of(0x30, 0));
  const type = 'EV_EFI_VARIABLE_AUTHORITY';
  const shim = { pcr: 7, type, data: concat(data, Uint8Array.of(7)), measured: data };
  const bytes = writeEventLog([shim], ['sha256']);
  const values = replay(parseEventLog(bytes), 'sha256');
  expect(results(bytes, values)).toEqual(['pass, affirming', 'pass, affirming']);
});
