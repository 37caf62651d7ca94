// Replays a log into PCR values, and tells per event whether its digest covers its data.
import { hash } from 'node:crypto';
import { concat, equal, type Bytes } from '#agent/base/bytes.ts';
import { hashByName, type HashName } from '#attest/tpm/algorithms.ts';
import type { EventLog, LogEvent } from './parse.ts';
import { EV_NO_ACTION, eventTypeName, eventTypeNumber, promisesDigestOfData } from './types.ts';

/** One extension (TPM 2.0 Part 1 17.4): H(old || digest). */
export const extend = (bank: HashName, value: Buffer, digest: Buffer): Buffer =>
  hash(bank, concat(value, digest), 'buffer');

/**
 * The values of one bank that the log accounts for, only for registers that it measures into; empty
 * when the log does not speak for the bank. PCR 0 starts at the startup locality (PTP 1.05, 4.6.2).
 */
export function replay(log: EventLog, bank: HashName): Map<number, Buffer> {
  const values = new Map<number, Buffer>();
  for (const { pcr, type, digests } of log.events) {
    const digest = digests.get(bank);
    if (type === EV_NO_ACTION || digest === undefined) continue;
    values.set(pcr, extend(bank, values.get(pcr) ?? startValue(log, bank, pcr), digest));
  }
  return values;
}

/** A hardware root of trust that measured before TPM2_Startup leaves 4 (TPM 2.0 Part 3 22.10). */
const HCRTM_LOCALITY = 4;
const EV_EFI_HCRTM_EVENT = eventTypeNumber('EV_EFI_HCRTM_EVENT');

/** What a register holds before the first event. */
export function startValue(
  { startupLocality, events }: EventLog,
  bank: HashName,
  pcr: number,
): Buffer {
  const value = Buffer.alloc(hashByName(bank).sizeBytes);
  if (pcr !== 0) return value;
  const first = events.find((event) => event.pcr === 0 && event.type !== EV_NO_ACTION);
  const hardware = first?.type === EV_EFI_HCRTM_EVENT ? HCRTM_LOCALITY : 0;
  value[value.length - 1] = startupLocality ?? hardware;
  return value;
}

/** True when `bytes` are what the event extended in every bank of the log. */
export const measures = ({ digests, complete }: LogEvent, bytes: Bytes): boolean =>
  complete &&
  digests.size > 0 &&
  [...digests].every(([bank, digest]) => equal(digest, hash(bank, bytes, 'buffer')));

/** True when that is so of its data. */
export const isDataCovered = (event: LogEvent): boolean => measures(event, event.data);

/** An event that departs from what its type promises. */
export interface LogFinding {
  readonly event: number;
  readonly pcr: number;
  readonly text: string;
}

/**
 * Events whose data is not what was measured although their type promises it: somebody edited the log
 * after boot, or the firmware departs from the profile. Either way the data must not be believed.
 */
export function uncoveredEvents(log: EventLog): LogFinding[] {
  return log.events
    .filter((event) => promisesDigestOfData(event.type) && !isDataCovered(event))
    .map(({ index, pcr, type }) => ({
      event: index,
      pcr,
      text: `event ${index} (${eventTypeName(type)}, PCR ${pcr}): the data is not what was measured`,
    }));
}
