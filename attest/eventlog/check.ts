// Holds a firmware event log against quoted PCRs. The log explains values; it never makes one good.
import type { Bytes } from '#agent/base/bytes.ts';
import { equal } from '#agent/base/bytes.ts';
import { messageOf } from '#agent/base/errors.ts';
import { fail, notChecked, pass, type Check } from '#attest/check.ts';
import type { PcrValues } from '#attest/quote.ts';
import type { HashName } from '#attest/tpm/algorithms.ts';
import { coverageOf } from './coverage.ts';
import { parseEventLog, type EventLog } from './parse.ts';
import { FIRMWARE_PCRS } from './registers.ts';
import { replay, startValue, uncoveredEvents } from './replay.ts';

const NAME = 'event log';
const SHOWN_EVENTS = 5;

/** What a log says of the values of a quote. */
export interface LogAnswer {
  readonly checks: readonly Check[];
  /** What the log accounts for in the quoted bank; undefined when it cannot be used. */
  readonly replayed: PcrValues | undefined;
}

/** Replays `bytes` and compares; a log that is missing, malformed or of another bank explains nothing. */
export function checkEventLog(bytes: Bytes, bank: HashName, quoted: PcrValues): LogAnswer {
  if (bytes.length === 0) {
    const text = 'The node sent none, so a difference in a PCR could not be explained.';
    return { checks: [notChecked(NAME, text)], replayed: undefined };
  }
  let log: EventLog;
  try {
    log = parseEventLog(bytes);
  } catch (error) {
    return { checks: [fail(NAME, `${messageOf(error)}.`, 'warning')], replayed: undefined };
  }
  if (!log.banks.includes(bank)) {
    const text = `The log speaks for ${log.banks.join(', ')}, the quote for ${bank}: it explains nothing here (bank confusion).`;
    return { checks: [fail(NAME, text, 'warning')], replayed: undefined };
  }
  const replayed = replay(log, bank);
  const compared = [...quoted].flatMap(([pcr, value]) => {
    const logged = replayed.get(pcr) ?? (isFirmware(pcr) ? startValue(log, bank, pcr) : undefined);
    return logged === undefined ? [] : [{ pcr, differs: !equal(logged, value) }];
  });
  if (compared.length === 0) {
    const text =
      'None of the registers that the log measures into is quoted, so that nothing confirms it. Quote PCR 0 to 7.';
    return { checks: [notChecked(NAME, text)], replayed };
  }
  const differing = compared
    .filter(({ differs }) => differs)
    .map(({ pcr }) => pcr)
    .toSorted((a, b) => a - b);
  return { checks: [replayCheck(log, bank, differing), coverageCheck(log)], replayed };
}

/** A log that leaves out all events of such a register says that it holds its start value. */
const isFirmware = (pcr: number): boolean => FIRMWARE_PCRS.includes(pcr);

function replayCheck(log: EventLog, bank: HashName, differing: readonly number[]): Check {
  const firmware = differing.filter(isFirmware);
  const summary = `${log.events.length} events replayed in ${bank}`;
  if (firmware.length > 0) {
    const text = `${summary}; PCR ${firmware.join(', ')} differ: extended after the log ended, or the log was edited. Reboot the node.`;
    return fail(NAME, text, 'warning');
  }
  const after = differing.length > 0 ? `; PCR ${differing.join(', ')} went on after boot` : '';
  return pass(NAME, `${summary}${after}.`);
}

function coverageCheck(log: EventLog): Check {
  const name = 'event log data';
  const findings = uncoveredEvents(log).filter(({ event }) => !isMiscounted(log, event));
  if (findings.length === 0) {
    return pass(name, 'Every event whose type promises it carries the data that was measured.');
  }
  const listed = findings.slice(0, SHOWN_EVENTS).map(({ text }) => text);
  const more = findings.length > SHOWN_EVENTS ? `; and ${findings.length - SHOWN_EVENTS} more` : '';
  return fail(
    name,
    `${listed.join('; ')}${more}. The log was edited, or the firmware departs from the TCG profile; that data is not used.`,
    'warning',
  );
}

/** Old shim counts a byte too many; what it measured is known all the same. */
function isMiscounted({ events }: EventLog, index: number): boolean {
  const event = events[index];
  return event !== undefined && coverageOf(event).part === 'shortened';
}
