// What an auditor should know of a log: where data is not what was measured, where banks or events are
// missing, where firmware departs from the profile. `error` is kept for what only an edited log shows.
import type { Finding, Severity } from '#attest/finding.ts';
import { algText, type HashName } from '#attest/tpm/algorithms.ts';
import type { ReadEvent } from './decode.ts';
import type { EventLog } from './parse.ts';
import { SECURE_BOOT_PCR, type Registers } from './registers.ts';
import { EV_NO_ACTION, eventTypeName, isListedType, promisesDigestOfData } from './types.ts';

/** Findings of one code that are told one by one. */
const MAX_OF_A_CODE = 32;

/** A log, its events read, and the registers that it is about. */
export interface ReadLog {
  readonly log: EventLog;
  readonly events: readonly ReadEvent[];
  readonly registers: Registers;
}

/** Findings on single events and on the form of the log; order.ts and secureBoot.ts have their own. */
export const formFindings = ({ log, events, registers }: ReadLog): Finding[] => [
  ...events.flatMap((event) => [
    ...coverageFinding(event, registers),
    ...typeFinding(event),
    ...statementFindings(event, log),
  ]),
  ...log.banks.flatMap((bank) => bankFindings(log, bank)),
  ...algorithmFindings(log),
  ...tailFindings(log),
];

/** At most 32 of each code, the last of which says how many more there are. */
export function capped(findings: readonly Finding[]): Finding[] {
  const byCode = Map.groupBy(findings, ({ code, severity }) => `${code} ${severity}`);
  return [...byCode.values()]
    .flatMap((same) => {
      const shown = same.slice(0, MAX_OF_A_CODE);
      const last = shown.at(-1);
      const more = same.length - shown.length;
      if (last === undefined || more === 0) return shown;
      return [...shown.slice(0, -1), { ...last, text: `${last.text} And ${more} more like it.` }];
    })
    .toSorted((a, b) => (a.event ?? Infinity) - (b.event ?? Infinity));
}

/** A finding on one event. */
export const onEvent = (
  { index, pcr }: Pick<ReadEvent, 'index' | 'pcr'>,
  code: string,
  severity: Severity,
  text: string,
): Finding => ({ code, severity, event: index, pcr, text });

/** A finding on the log as a whole. */
export const onLog = (code: string, severity: Severity, text: string): Finding => ({
  code,
  severity,
  event: null,
  pcr: null,
  text,
});

/** Every event of PCR 7 is judged alike, whatever its type, which an editor of the log can change. */
function coverageFinding(event: ReadEvent, registers: Registers): Finding[] {
  if (event.coverage.part === 'whole' || event.type === EV_NO_ACTION) return [];
  const policy = event.pcr === registers.holding(SECURE_BOOT_PCR);
  const promised = promisesDigestOfData(event.type) || (policy && registers.kind === 'pcr');
  if (!promised) return [];
  const type = eventTypeName(event.type);
  const where = `${type} in ${registers.nameOf(event.pcr)}`;
  const code = 'DATA_NOT_COVERED';
  if (event.coverage.part === 'shortened') {
    const text = `${where}: all of the data but its last byte was measured, as shim 15 and older do. What was measured is used.`;
    return [onEvent(event, code, 'warning', text)];
  }
  const found = event.complete
    ? 'the data is not what was measured'
    : 'a bank has no digest of the data';
  const text = `${where}: ${found}. The log was edited after boot, or the firmware departs from the profile; the data is not used. Collect the log again from the node.`;
  return [onEvent(event, code, policy ? 'error' : 'warning', text)];
}

function typeFinding(event: ReadEvent): Finding[] {
  const type = eventTypeName(event.type);
  if (!isListedType(event.type)) {
    const text = `Event type ${type} is not in the profile; it is replayed and not read.`;
    return [onEvent(event, 'EVENT_TYPE_UNKNOWN', 'info', text)];
  }
  if (event.decoded.kind !== 'unreadable') return [];
  const text = `The data is not what ${type} describes; it is replayed and not read.`;
  return [onEvent(event, 'DATA_UNREADABLE', 'warning', text)];
}

/** Localities that can start a TPM: TPM2_Startup from 0 or 3, a hardware root of trust leaves 4. */
const LOCALITIES: ReadonlySet<number> = new Set([0, 3, 4]);

function statementFindings(event: ReadEvent, { startupLocality }: EventLog): Finding[] {
  if (event.type !== EV_NO_ACTION) return [];
  const findings: Finding[] = [];
  if ([...event.digests.values()].some((digest) => digest.some((byte) => byte !== 0))) {
    const text = 'EV_NO_ACTION with a digest: such events extend nothing, the digest is ignored.';
    findings.push(onEvent(event, 'NO_ACTION_WITH_DIGEST', 'warning', text));
  }
  if (event.decoded.kind !== 'startupLocality') return findings;
  const { locality } = event.decoded;
  if (locality !== startupLocality) {
    const text = `StartupLocality ${locality} comes after a measurement into PCR 0 or another such statement: it is ignored.`;
    findings.push(onEvent(event, 'LOCALITY_IGNORED', 'warning', text));
  } else if (!LOCALITIES.has(locality)) {
    const text = `No TPM starts at locality ${locality}: PCR 0 as replayed will not match a quote.`;
    findings.push(onEvent(event, 'LOCALITY_INVALID', 'warning', text));
  }
  return findings;
}

/** ATTESTATION trap 4: software can forge a boot into a bank that firmware leaves alone. */
function bankFindings({ events }: EventLog, bank: HashName): Finding[] {
  const measured = events.filter(({ index, type }) => index > 0 && type !== EV_NO_ACTION);
  const without = measured.filter(({ digests }) => !digests.has(bank));
  const [first] = without;
  if (measured.length === without.length) {
    const text = `The log declares bank ${bank} and nothing extends it: where the TPM has it active, software can forge a boot there (CVE-2021-42299). Do not accept quotes of this bank; update the firmware.`;
    return [onLog('BANK_NOT_EXTENDED', 'warning', text)];
  }
  if (first === undefined) return [];
  const text = `${without.length} events have no ${bank} digest: the bank is not fully accounted for.`;
  return [onEvent(first, 'DIGEST_MISSING', 'warning', text)];
}

const algorithmFindings = ({ unknownAlgorithms }: EventLog): Finding[] =>
  unknownAlgorithms.map((id) =>
    onLog(
      'ALGORITHM_UNKNOWN',
      'info',
      `Bank ${algText(id)} is in the log and not among those that Tidelock replays (SHA-1, SHA-256, SHA-384, SHA-512). It is skipped.`,
    ),
  );

function tailFindings({ trailingBytes, padded }: EventLog): Finding[] {
  if (trailingBytes === 0) return [];
  return padded
    ? [onLog('PADDING', 'info', `${trailingBytes} bytes of padding follow the last event.`)]
    : [
        onLog(
          'TRAILING_BYTES',
          'warning',
          `${trailingBytes} bytes follow the last event, too few for another: the log may have been cut. Collect it again.`,
        ),
      ];
}
