// What the fuzzer found, kept as tests where the fault lay between files; those of one parser stand
// beside it.
import { expect, it } from 'vitest';
import { writeEventLog } from '#attest/eventlog/write.ts';
import { parseEventLog } from '#attest/eventlog/parse.ts';
import { openReport } from '#attest/reportOpen.ts';
import { BOOT } from '#attest/testdata/boot.ts';
import { outcome } from '#attest/testdata/hostile.ts';
import { certificatesOf } from '#attest/roots/read.ts';
import { reportBytes } from '#attest/testdata/reportFixture.ts';

it('parseEventLog() looks for padding once: half a MiB of events that begin like it are no hang', () => {
  const log = writeEventLog(BOOT, ['sha256']);
  const flood = Buffer.concat([log, Buffer.alloc(512 << 10), Buffer.of(1)]);
  expect(outcome(parseEventLog, flood)).toBe('malformed'); // took 40 s when it looked before each event
});

it('openReport() holds a report that no key can have signed for altered', () => {
  const text = Buffer.from(reportBytes()).toString();
  const altered = Buffer.from(text.replace('"facts":{', '"facts":{"":"\\ud800",'));
  expect(altered.length).toBeGreaterThan(text.length);
  const { checks, signed } = openReport(altered);
  expect(signed).toBeUndefined();
  expect(checks.filter(({ result }) => result === 'fail').map(({ name }) => name)).toEqual([
    'report form',
    'report signature Ed25519',
    'report signature ML-DSA-65',
  ]);
});

it('certificatesOf() looks through beginnings without an end once', () => {
  const beginnings = Buffer.from('-----BEGIN CERTIFICATE-----\n'.repeat(140_000));
  expect(outcome(() => certificatesOf(beginnings), beginnings)).toBe('malformed'); // took 8 s
});
