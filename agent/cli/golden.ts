// Boots that somebody calls golden, as `tidelock policy from-evidence` is given them: event logs, held
// against register values where there are any, and nodes' reports, whose values a TPM signed.
import { basename, resolve } from 'node:path';
import { systemClock } from '#agent/base/clock.ts';
import type { SigningPublic } from '#agent/base/asymmetric.ts';
import { fromB64url, fromHex } from '#agent/base/bytes.ts';
import { TidelockError } from '#agent/base/errors.ts';
import { readReport } from '#agent/report/file.ts';
import { isGuestLog } from '#attest/eventlog/ccel.ts';
import { readEvents } from '#attest/eventlog/decode.ts';
import { logDocument } from '#attest/eventlog/document.ts';
import { parseEventLog, type EventLog } from '#attest/eventlog/parse.ts';
import { PCRS } from '#attest/eventlog/registers.ts';
import { replay } from '#attest/eventlog/replay.ts';
import { IMA_PCR, type PolicyBank } from '#attest/owned.ts';
import type { GoldenLog } from '#attest/policy/compose.ts';
import { phasesAfter } from '#attest/policy/phases.ts';
import type { PcrValues } from '#attest/quote.ts';
import { verifyReport } from '#attest/reportVerify.ts';
import { readLog, readPcrs } from './policyFiles.ts';

export interface Golden extends GoldenLog {
  /** True when the log replays to values that were given, or that a TPM signed. */
  readonly proven: boolean;
}

/** What is asked of a golden boot. */
export interface Wanted {
  readonly cwd: string;
  readonly bank: PolicyBank;
  /** Registers that the policy speaks of already: what a log has of them must be confirmed. */
  readonly registers: readonly number[];
}

/** Event logs, each with its values where `pcrs` has as many files. Errors: ENROLMENT_REFUSED and those of reading. */
export async function goldenLogs(
  eventlogs: readonly string[],
  pcrs: readonly string[],
  wanted: Wanted,
): Promise<Golden[]> {
  const { cwd, bank } = wanted;
  const golden: Golden[] = [];
  for (const [i, path] of eventlogs.entries()) {
    const log = await readLog(cwd, path);
    requireGood(path, log, bank);
    const values = pcrs[i] === undefined ? undefined : await readPcrs(cwd, pcrs[i], bank);
    const note = basename(path);
    golden.push(
      values === undefined
        ? { log, note, proven: false }
        : { log: confirmed(path, log, values, wanted), note, proven: true },
    );
  }
  return golden;
}

/** The event logs in reports that one of `owners` vouches for. Errors: ENROLMENT_REFUSED, DOCUMENT_MALFORMED. */
export async function goldenReports(
  reports: readonly string[],
  owners: readonly SigningPublic[],
  wanted: Wanted,
): Promise<Golden[]> {
  const golden: Golden[] = [];
  for (const path of reports) {
    const bytes = await readReport(resolve(wanted.cwd, path));
    const question = { bytes, owners, authorities: undefined, at: 'issued' } as const;
    const { told } = verifyReport({ ...question, nowMs: systemClock.wallMs() });
    if (told?.owner === undefined) throw refused(path, 'no owner that was given vouches for it');
    const quoted = Object.entries(told.pcrs).map(
      ([pcr, value]) => [Number(pcr), fromHex(value)] as const,
    );
    const { evidence, node } = told.body;
    if (quoted.length === 0 || evidence.bank !== wanted.bank) {
      throw refused(path, `its quote does not hold, or is not of ${wanted.bank}`);
    }
    const log = parseEventLog(fromB64url(evidence.eventLog));
    requireGood(path, log, wanted.bank);
    golden.push({ log: confirmed(path, log, new Map(quoted), wanted), note: node, proven: true });
  }
  return golden;
}

/** What `tidelock evidence eventlog` calls an error, nobody should make a reference of. */
function requireGood(path: string, log: EventLog, bank: PolicyBank): void {
  if (isGuestLog(log)) {
    throw refused(
      path,
      'this is the event log of a TDX guest (tidelock evidence ccel); what is asked of guests stands in the section tdx of a policy',
    );
  }
  if (!log.banks.includes(bank)) {
    throw refused(path, `it speaks for ${log.banks.join(', ')}, not for ${bank}`);
  }
  const { findings } = logDocument({ log, events: readEvents(log), registers: PCRS });
  const errors = findings.filter(({ severity }) => severity === 'error');
  const [first] = errors;
  if (first === undefined) return;
  const more =
    errors.length > 1 ? ` And ${errors.length - 1} more: tidelock evidence eventlog.` : '';
  throw refused(path, `${first.code}: ${first.text}${more}`);
}

/** The log without registers that nobody confirmed. One that its TPM contradicts may be of any boot. */
function confirmed(
  path: string,
  log: EventLog,
  values: PcrValues,
  { bank, registers }: Wanted,
): EventLog {
  const logged = [...replay(log, bank)];
  const contradicted = logged.flatMap(([pcr, replayed]) => {
    const value = values.get(pcr);
    if (value === undefined) return registers.includes(pcr) ? [pcr] : [];
    return phasesAfter(pcr, bank, replayed, value) === undefined ? [pcr] : [];
  });
  const wrong = contradicted.filter((pcr) => pcr !== IMA_PCR).toSorted((a, b) => a - b);
  if (wrong.length > 0) {
    throw refused(
      path,
      `it does not replay to the ${bank} values given for PCR ${wrong.join(', ')}`,
    );
  }
  return { ...log, events: log.events.filter(({ pcr }) => values.has(pcr)) };
}

const refused = (path: string, state: string): TidelockError =>
  new TidelockError('ENROLMENT_REFUSED', {
    op: 'reference-policy.make',
    message: `Cannot take ${path} as reference: ${state}`,
    hint: 'Reboot the golden node, then take its event log and the values of all registers together, or a report of it.',
  });
