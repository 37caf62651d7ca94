import * as fc from 'fast-check';
import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { concat } from '#agent/base/bytes.ts';
import { hashByName, type HashName } from '#attest/tpm/algorithms.ts';
import { parseEventLog } from './parse.ts';
import { replay } from './replay.ts';
import { eventDigest, writeEventLog, type EventToWrite } from './write.ts';
import { eventTypeName } from './types.ts';

const bytes = fc.uint8Array({ maxLength: 64 });
const event: fc.Arbitrary<EventToWrite> = fc
  .record({
    pcr: fc.nat(23),
    type: fc.constantFrom('EV_SEPARATOR', 'EV_IPL', 'EV_NO_ACTION', 'EV_EFI_VARIABLE_BOOT2'),
    data: bytes,
    measured: fc.option(bytes, { nil: undefined }),
  })
  .map(({ measured, ...rest }) => (measured ? { ...rest, measured } : rest));
const banks = fc.subarray<HashName>(['sha1', 'sha256', 'sha384', 'sha512'], { minLength: 1 });

it('writeEventLog() writes what parseEventLog() reads', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 30 }), banks, (events, chosen) => {
      const log = parseEventLog(writeEventLog(events, chosen));
      expect(log.format).toBe('crypto-agile');
      expect(log.banks).toEqual(chosen);
      expect(
        log.events.slice(1).map(({ pcr, type, data }) => [pcr, eventTypeName(type), [...data]]),
      ).toEqual(events.map(({ pcr, type, data }) => [pcr, type, [...data]]));
    }),
  );
});

it('replay() of a written log is the chain of its digests, bank by bank', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 30 }), banks, (events, chosen) => {
      const log = parseEventLog(writeEventLog(events, chosen));
      for (const bank of chosen) {
        const expected = new Map<number, Buffer>();
        for (const each of events.filter(({ type }) => type !== 'EV_NO_ACTION')) {
          const old = expected.get(each.pcr) ?? Buffer.alloc(hashByName(bank).sizeBytes);
          const chained = createHash(bank)
            .update(concat(old, eventDigest(each, bank)))
            .digest();
          expected.set(each.pcr, chained);
        }
        expect(replay(log, bank)).toEqual(expected);
      }
    }),
  );
});

it('writeEventLog() refuses a type that nobody knows', () => {
  const write = () =>
    writeEventLog([{ pcr: 0, type: 'EV_NONSENSE', data: Buffer.alloc(0) }], ['sha256']);
  expect(write).toThrow(RangeError);
});
