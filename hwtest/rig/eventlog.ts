// Writes the events of a boot as a crypto-agile event log (PFP 9.2.2 and 9.4.5.1).
import { hash } from 'node:crypto';
import { utf8 } from '#agent/base/bytes.ts';
import type { Bank, BootEvent } from './boot.ts';

/** TPM_ALG_ID and digest length of each bank (TCG Algorithm Registry). */
const ALGS: Readonly<Record<Bank, { readonly id: number; readonly lenBytes: number }>> = {
  sha1: { id: 0x0004, lenBytes: 20 },
  sha256: { id: 0x000b, lenBytes: 32 },
  sha384: { id: 0x000c, lenBytes: 48 },
};

/** The log that firmware would leave in binary_bios_measurements. */
export const encodeLog = (events: readonly BootEvent[], banks: readonly Bank[]): Buffer =>
  Buffer.concat([specIdEvent(banks), ...events.map((event) => encodeEvent(event, banks))]);

function encodeEvent({ pcr, type, data, measured }: BootEvent, banks: readonly Bank[]): Buffer {
  const digests = banks.flatMap((bank) => [
    u16(ALGS[bank].id),
    measured === undefined ? Buffer.alloc(ALGS[bank].lenBytes) : hash(bank, measured, 'buffer'),
  ]);
  return Buffer.concat([u32(pcr, type, banks.length), ...digests, u32(data.length), data]);
}

/** The first event, in the legacy form, names the banks (PFP 9.4.5.1). */
function specIdEvent(banks: readonly Bank[]): Buffer {
  const data = Buffer.concat([
    utf8('Spec ID Event03\0'),
    u32(0), // platform class: client
    Uint8Array.of(0, 2, 0, 2), // version 2.0, errata 0, uintn 64 bit
    u32(banks.length),
    ...banks.map((bank) => Buffer.concat([u16(ALGS[bank].id), u16(ALGS[bank].lenBytes)])),
    Uint8Array.of(0), // no vendor data
  ]);
  return Buffer.concat([u32(0, 0x03), Buffer.alloc(20), u32(data.length), data]);
}

function u16(value: number): Buffer {
  const out = Buffer.alloc(2);
  out.writeUInt16LE(value);
  return out;
}

function u32(...values: readonly number[]): Buffer {
  const out = Buffer.alloc(4 * values.length);
  values.forEach((value, i) => out.writeUInt32LE(value, 4 * i));
  return out;
}

/** PCRs 0 to 23 of one bank after a boot with these events: the fold that a TPM does. */
export function expectedPcrs(events: readonly BootEvent[], bank: Bank): readonly Buffer[] {
  const { lenBytes } = ALGS[bank];
  const pcrs = Array.from({ length: 24 }, (_, pcr) =>
    Buffer.alloc(lenBytes, pcr >= 17 && pcr <= 22 ? 0xff : 0),
  );
  for (const { pcr, measured } of events) {
    const value = pcrs[pcr];
    if (measured === undefined || value === undefined) continue;
    pcrs[pcr] = hash(bank, Buffer.concat([value, hash(bank, measured, 'buffer')]), 'buffer');
  }
  return pcrs;
}
