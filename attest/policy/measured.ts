// The measurements of an event log in one bank, as a policy is made of them and held against them: by
// register and digest. What the log says about an event is words alone (ATTESTATION trap 1).
import { hex } from '#agent/base/bytes.ts';
import { describeRead } from '#attest/eventlog/describe.ts';
import { readEvent } from '#attest/eventlog/decode.ts';
import type { EventLog, LogEvent } from '#attest/eventlog/parse.ts';
import { EV_NO_ACTION, eventTypeName } from '#attest/eventlog/types.ts';
import { IMA_PCR, type PolicyBank } from '#attest/owned.ts';

export interface Measured {
  readonly pcr: number;
  /** Hex. */
  readonly digest: string;
  readonly event: LogEvent;
}

/** Every event that extended `bank`, in the order of the log, but those of PCR 10. */
export const measuredIn = ({ events }: EventLog, bank: PolicyBank): Measured[] =>
  events.flatMap((event) => {
    const digest = event.digests.get(bank);
    if (event.type === EV_NO_ACTION || event.pcr === IMA_PCR || digest === undefined) return [];
    return [{ pcr: event.pcr, digest: hex(digest), event }];
  });

/** An event in words. */
export interface Told {
  readonly type: string;
  readonly about: string;
  /** False when no digest covers what the words rest on. */
  readonly covered: boolean;
}

/** What the log says of an event: for people, never for a decision. */
export function tellEvent(event: LogEvent): Told {
  const read = readEvent(event);
  return {
    type: eventTypeName(event.type),
    about: describeRead(read),
    covered: read.coverage.part !== 'none',
  };
}
