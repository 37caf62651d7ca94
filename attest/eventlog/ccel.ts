// The event log of a confidential guest, which firmware leaves in memory and the ACPI table CCEL points
// to: a crypto-agile log whose registers are RTMRs (UEFI 2.10, 38.2; Intel TDX Virtual Firmware Design
// Guide 8.3). It explains RTMR values; only a TDX quote makes them good.
import type { Bytes } from '#agent/base/bytes.ts';
import { hex } from '#agent/base/bytes.ts';
import { hashByName } from '#attest/tpm/algorithms.ts';
import { parseEventLog, type EventLog } from './parse.ts';
import { replay } from './replay.ts';
import { EV_NO_ACTION } from './types.ts';

/** RTMRs are extended in this bank and no other (Intel TDX Module Base Architecture, 12.1.2). */
export const RTMR_BANK = 'sha384';

/** Register index of RTMR3; that of RTMR0 is 1. */
export const LAST_REGISTER = 4;

/** True for what only a guest's log does: SHA-384 alone, and nothing measured but into the four RTMRs. */
export function isGuestLog({ banks, events }: EventLog): boolean {
  const measured = events.filter(({ type }) => type !== EV_NO_ACTION);
  return (
    banks.length === 1 &&
    banks[0] === RTMR_BANK &&
    measured.length > 0 &&
    measured.every(({ pcr }) => pcr >= 1 && pcr <= LAST_REGISTER)
  );
}

/** Hex of each, by its number. */
export type Rtmrs = Readonly<Record<'rtmr0' | 'rtmr1' | 'rtmr2' | 'rtmr3', string>>;

/** A CCEL and the RTMR values that it accounts for. */
export interface RtmrReplay {
  /** What the log accounts for; zeros for a register that it measures nothing into. */
  readonly rtmrs: Rtmrs;
  readonly log: EventLog;
}

/** Parses and replays a CCEL. Errors: EVIDENCE_MALFORMED. */
export function replayRtmrs(bytes: Bytes): RtmrReplay {
  const log = parseEventLog(bytes);
  return { rtmrs: rtmrsOf(log), log };
}

/** The RTMRs of a parsed CCEL; all zeros when it does not speak for SHA-384. */
export function rtmrsOf(log: EventLog): Rtmrs {
  const values = replay(log, RTMR_BANK);
  const initial = Buffer.alloc(hashByName(RTMR_BANK).sizeBytes);
  const rtmr = (n: number): string => hex(values.get(n + 1) ?? initial);
  return { rtmr0: rtmr(0), rtmr1: rtmr(1), rtmr2: rtmr(2), rtmr3: rtmr(3) };
}
