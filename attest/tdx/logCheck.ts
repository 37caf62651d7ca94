// Whether the event log of a trust domain accounts for the RTMRs of a quote. It explains the values; it
// never makes one good.
import { fromHex } from '#agent/base/bytes.ts';
import { fail, notChecked, pass, type Check } from '#attest/check.ts';
import type { Rtmrs } from '#attest/eventlog/ccel.ts';
import { isZero, rtmrsOf, shortValue } from './registers.ts';
import type { TdReport } from './tdReport.ts';

/** Registers that the running system may extend: they stand for PCR 8 and above (UEFI 2.10, 38.4.1). */
const GOES_ON: readonly string[] = ['rtmr2', 'rtmr3'];

const NAME = 'event log';

/** Compares what a log accounts for, undefined without one, with the RTMRs of a verified report. */
export function logCheck(report: TdReport, replayed: Rtmrs | undefined): Check {
  if (replayed === undefined) {
    return notChecked(NAME, 'No CCEL event log was given: the RTMRs are not explained by events.');
  }
  const off = rtmrsOf(report)
    .map(([rtmr, quoted]) => ({ rtmr, quoted, logged: fromHex(replayed[rtmr]) }))
    .filter(({ quoted, logged }) => !quoted.equals(logged));
  if (off.length === 0) return pass(NAME, 'The log accounts for the value of every RTMR.');
  const names = off.map(({ rtmr }) => rtmr).join(', ');
  const listed = off
    .map(
      ({ rtmr, quoted, logged }) =>
        `${rtmr} is ${shortValue(quoted)}, the log accounts for ${shortValue(logged)}`,
    )
    .join('; ');
  if (off.some(({ rtmr, quoted }) => !GOES_ON.includes(rtmr) || isZero(quoted))) {
    const text = `${listed}: the log is of another start, was altered, or something was extended that it leaves out.`;
    return fail(NAME, text);
  }
  if (off.every(({ logged }) => isZero(logged))) {
    // The log has nothing of these, so there is nothing in it to be believed or not.
    return pass(NAME, `The log accounts for every RTMR but ${names}, which went on after boot.`);
  }
  const text = `${listed}: extended after boot, or the log was altered. What it says of ${names} is not known to be true.`;
  return notChecked(NAME, text, 'warning');
}
