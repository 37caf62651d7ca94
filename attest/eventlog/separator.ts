// Events that firmware measures with constant contents and that divide a boot: separators, errors in
// their place, the call of ExitBootServices. They are known by their digests, which are what a quote
// confirms; type and data of such an event can be edited to hide it (ATTESTATION trap 1), and so can its
// digests in banks that are not quoted: one bank that tells it is enough.
import { hash } from 'node:crypto';
import { equal, utf8, type Bytes } from '#agent/base/bytes.ts';
import type { HashName } from '#attest/tpm/algorithms.ts';
import type { LogEvent } from './parse.ts';
import { EV_NO_ACTION, eventTypeNumber } from './types.ts';

type Extended = Pick<LogEvent, 'type' | 'digests'>;

/** Tells events with the digest of `constant` in any bank. */
function measuring(constant: Bytes): (event: Extended) => boolean {
  const expected = new Map<HashName, Buffer>();
  const digestIn = (bank: HashName): Buffer => {
    const digest = expected.get(bank) ?? hash(bank, constant, 'buffer');
    expected.set(bank, digest);
    return digest;
  };
  return ({ type, digests }) =>
    type !== EV_NO_ACTION && [...digests].some(([bank, digest]) => equal(digest, digestIn(bank)));
}

const zeros = measuring(Buffer.alloc(4, 0x00));
const ones = measuring(Buffer.alloc(4, 0xff));
const error = measuring(Buffer.from([1, 0, 0, 0]));
const EV_SEPARATOR = eventTypeNumber('EV_SEPARATOR');

/** Where the firmware's own measurements of a register end (Firmware Profile 1.06, 3.3.4). */
export const isSeparator = (event: Extended): boolean => zeros(event) || ones(event);

/** What firmware measures in its place when it could not go on (3.3.4); other events may measure a 1. */
export const isErrorSeparator = (event: Extended): boolean =>
  event.type === EV_SEPARATOR && error(event);

/** What firmware measures at the hand-over to the operating system (10.4.4). */
export const EXIT_BOOT_SERVICES = utf8('Exit Boot Services Invocation');

/** The hand-over. */
export const isExitBootServices = measuring(EXIT_BOOT_SERVICES);

/** Position in the log of the first separator of each register that has one. */
export type Separators = ReadonlyMap<number, number>;

/** Finds them. */
export function separatorsOf(events: readonly LogEvent[]): Separators {
  const found = new Map<number, number>();
  for (const event of events) {
    if (isSeparator(event) && !found.has(event.pcr)) found.set(event.pcr, event.index);
  }
  return found;
}
