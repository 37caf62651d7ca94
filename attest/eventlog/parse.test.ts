import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concat, u32 } from '#agent/base/bytes.ts';
import { hostile, outcome } from '#attest/testdata/hostile.ts';
import { BOOT } from '#attest/testdata/boot.ts';
import { noVectors, truths, vector, type LogTruth } from '#attest/testdata/vectors.ts';
import { hashByName } from '#attest/tpm/algorithms.ts';
import { parseEventLog } from './parse.ts';
import { replay, uncoveredEvents } from './replay.ts';
import { writeEventLog } from './write.ts';

const BANKS = ['sha1', 'sha256'] as const;
const log = writeEventLog(BOOT, BANKS);

/** Little-endian, as event logs are. */
const u32le = (n: number): Buffer => u32(n).reverse();

/** A TCG_PCClientPCREvent. */
const legacy = (pcr: number, type: number, data: Buffer, digest = Buffer.alloc(20)): Buffer =>
  concat(u32le(pcr), u32le(type), digest, u32le(data.length), data);

const locality = (value: number): Buffer =>
  concat(Buffer.from('StartupLocality\0'), Uint8Array.of(value));

it.each([0x00, 0xff])('parseEventLog() stops at padding of %i', (byte) => {
  const padded = parseEventLog(concat(log, Buffer.alloc(5000, byte)));
  expect(padded.trailingBytes).toBe(5000);
  expect(padded.events).toEqual(parseEventLog(log).events);
});

it('parseEventLog() refuses every truncation that cuts an event', () => {
  const whole = parseEventLog(log).events.length;
  for (let end = 1; end < log.length; end += 1) {
    const cut = outcome(parseEventLog, log.subarray(0, end));
    if (cut === 'malformed') continue;
    expect(cut.events.length).toBeLessThan(whole);
    expect(cut.trailingBytes).toBeLessThan(16);
  }
});

it.each([
  ['nothing', Buffer.alloc(0), 'it is empty'],
  [
    'a size beyond the end',
    concat(legacy(0, 8, Buffer.alloc(4)).subarray(0, 28), u32le(0xffff_fff0)),
    'event 0 claims 4294967280 bytes',
  ],
  ['a register that no TPM has', legacy(24, 8, Buffer.alloc(4)), 'event 0 is for PCR 24'],
  ['text', Buffer.from('this is certainly not an event log'), 'event 0 is for PCR'],
])('parseEventLog() refuses %s', (_, bytes, state) => {
  expect(() => parseEventLog(bytes)).toThrow(state);
});

it('parseEventLog() refuses algorithms with sizes that are not theirs, none, and absurdly many', () => {
  const count = log.indexOf('Spec ID Event03') + 24;
  const withCount = (n: number): Buffer => {
    const copy = Buffer.from(log);
    copy.writeUInt32LE(n, count);
    return copy;
  };
  expect(() => parseEventLog(withCount(0))).toThrow('0 digest algorithms');
  expect(() => parseEventLog(withCount(0x1000_0000))).toThrow('268435456 digest algorithms');
  const wrongSize = Buffer.from(log);
  wrongSize.writeUInt16LE(21, count + 6);
  expect(() => parseEventLog(wrongSize)).toThrow('sha1 digests of 21 bytes');
});

it('parseEventLog() refuses more events than any boot has', () => {
  const event = legacy(8, 0x0d, Buffer.alloc(1, 7));
  const events = (count: number) => Buffer.concat(Array.from({ length: count }, () => event));
  expect(parseEventLog(events(16_384)).events).toHaveLength(16_384);
  expect(() => parseEventLog(events(16_385))).toThrow('more than 16384 events');
});

it('parseEventLog() ends in one error on any bytes', () => {
  fc.assert(fc.property(hostile(log), (bytes) => void outcome(parseEventLog, bytes)));
});

it('parseEventLog() takes StartupLocality only before the first measurement into PCR 0', () => {
  const before = concat(legacy(0, 3, locality(3)), legacy(0, 8, Buffer.alloc(4)));
  const after = concat(legacy(0, 8, Buffer.alloc(4)), legacy(0, 3, locality(3)));
  expect(parseEventLog(before).startupLocality).toBe(3);
  expect(parseEventLog(after).startupLocality).toBeUndefined();
});

it('replay() starts PCR 0, and only PCR 0, at the startup locality', () => {
  const measured = [legacy(0, 8, Buffer.alloc(4)), legacy(1, 8, Buffer.alloc(4))];
  const plain = replay(parseEventLog(concat(...measured)), 'sha1');
  const local = replay(parseEventLog(concat(legacy(0, 3, locality(4)), ...measured)), 'sha1');
  expect(local.get(0)).not.toEqual(plain.get(0));
  expect(local.get(1)).toEqual(plain.get(1));
});

it('replay() extends nothing for EV_NO_ACTION, whatever digest it carries', () => {
  const loud = legacy(5, 3, Buffer.from('vendor'), Buffer.alloc(20, 7));
  expect(replay(parseEventLog(loud), 'sha1').size).toBe(0);
});

it('uncoveredEvents() names an event whose data was edited after boot', () => {
  const edited = Buffer.from(log);
  const at = edited.indexOf('SecureBoot=1') + 'SecureBoot='.length;
  edited.write('0', at);
  expect(replay(parseEventLog(edited), 'sha256')).toEqual(replay(parseEventLog(log), 'sha256'));
  expect(uncoveredEvents(parseEventLog(log))).toEqual([]);
  expect(uncoveredEvents(parseEventLog(edited))).toEqual([
    expect.objectContaining({
      pcr: 7,
      text: 'event 5 (EV_EFI_VARIABLE_DRIVER_CONFIG, PCR 7): the data is not what was measured',
    }),
  ]);
});

it('replay() does not depend on the type of an event, which no digest covers', () => {
  const retyped = Buffer.from(log);
  const [, first] = parseEventLog(log).events;
  if (first === undefined) throw new Error('the log has events');
  retyped.writeUInt32LE(0x0d, 32 + log.readUInt32LE(28) + 4);
  expect(parseEventLog(retyped).events[1]?.type).not.toBe(first.type);
  expect(replay(parseEventLog(retyped), 'sha256')).toEqual(replay(parseEventLog(log), 'sha256'));
});

describe.skipIf(noVectors !== undefined)(`vectors ${noVectors ?? ''}`, () => {
  const all = truths<LogTruth>('eventlog');

  it.each(all.filter(([, { error }]) => error === undefined))(
    'parseEventLog() and replay() agree on %s',
    (path, truth) => {
      const read = parseEventLog(vector(path));
      expect({
        format: read.format,
        events: read.events.length,
        trailing: read.trailingBytes,
        locality: read.startupLocality ?? null,
        pcrs: Object.fromEntries(
          read.banks.map((bank) => [
            bank,
            Object.fromEntries(
              Array.from(replay(read, bank), ([pcr, v]) => [String(pcr), v.toString('hex')]),
            ),
          ]),
        ),
        uncovered: uncoveredEvents(read).map(({ event, pcr }) => `${event} in PCR ${pcr}`),
      }).toEqual({
        format: truth.format === 'legacy-sha1' ? 'legacy' : truth.format,
        events: truth.events,
        trailing: truth.trailing_bytes,
        locality: truth.startup_locality,
        pcrs: truth.pcrs,
        uncovered: [
          ...new Set(truth.digest_ne_hash_of_data.map(([event, pcr]) => `${event} in PCR ${pcr}`)),
        ],
      });
    },
  );

  it.each(all.filter(([, { error }]) => error !== undefined))(
    'parseEventLog() refuses %s cleanly',
    (path) => {
      expect(outcome(parseEventLog, vector(path))).toBe('malformed');
    },
  );

  it('the vectors include every format, a locality and a tampered log', () => {
    const formats = new Set(all.map(([, { format }]) => format));
    expect(formats).toContain('legacy-sha1');
    expect(formats).toContain('crypto-agile');
    expect(all.some(([, truth]) => truth.startup_locality === 3)).toBe(true);
    expect(all.some(([path, , negative]) => negative && path.includes('tampered'))).toBe(true);
  });
});

it('a digest in the log has the size of its bank', () => {
  for (const { digests } of parseEventLog(log).events.slice(1)) {
    for (const [bank, digest] of digests) {
      expect(digest).toHaveLength(hashByName(bank).sizeBytes);
    }
  }
});
