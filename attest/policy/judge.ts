// Holds a boot against a reference policy, register by register. Only an event log that replays to what the
// TPM signed can pass; then its digests decide, never its words (ATTESTATION traps 1 and 4).
import { counted } from '#agent/base/counted.ts';
import {
  about,
  fail,
  limits,
  notChecked,
  pass,
  type Check,
  type TrustClaim,
} from '#attest/check.ts';
import type { EventLog } from '#attest/eventlog/parse.ts';
import { replay } from '#attest/eventlog/replay.ts';
import type { PcrValues } from '#attest/quote.ts';
import { pcrText } from '#attest/reference.ts';
import { registersOf, type ReferencePolicy, type RegisterMode } from './document.ts';
import { walk, type Sequence, type Terms } from './match.ts';
import { measuredIn, type Measured } from './measured.ts';
import { phasesAfter } from './phases.ts';
import { shortValue, unmatchedText } from './unmatched.ts';

export interface BootQuestion {
  readonly policy: ReferencePolicy;
  readonly log: EventLog;
  /** Values of the policy's bank that a quote has confirmed. */
  readonly quoted: PcrValues;
  /** Unix milliseconds: what was announced for later does not count yet. */
  readonly atMs: number;
}

/** One check per register of the policy, and one that they agree with each other. Never throws. */
export function judgeBoot({ policy, log, quoted, atMs }: BootQuestion): Check[] {
  const { bank, components } = policy;
  const registers = registersOf(policy);
  if (!log.banks.includes(bank)) {
    const text = `The log speaks for ${log.banks.join(', ')}, the policy for ${bank}: nothing can be compared (bank confusion). Use a bank that the firmware measures into.`;
    return [about('executables', fail('reference policy', text))];
  }
  const measured = measuredIn(log, bank);
  const context: Context = {
    terms: { components, bank, atMs },
    replayed: replay(log, bank),
    quoted,
  };
  const checks = registers.map(([pcr, mode]) => {
    const own = measured.filter((event) => event.pcr === pcr);
    return about(claimOf(pcr), registerCheck(pcr, mode, own, context));
  });
  const passed = registers.filter((_, i) => checks[i]?.result === 'pass');
  return [
    ...checks,
    ...agreementCheck(passed, measured, context.terms),
    ...restCheck(policy, measured),
  ];
}

interface Context {
  readonly terms: Terms;
  readonly replayed: PcrValues;
  readonly quoted: PcrValues;
}

function registerCheck(
  pcr: number,
  mode: RegisterMode,
  measured: readonly Measured[],
  { terms, replayed, quoted }: Context,
): Check {
  const name = `PCR ${pcr}`;
  const ceiling = mode === 'enforce' ? 'contraindicated' : 'warning';
  const value = quoted.get(pcr);
  if (value === undefined) {
    const text = `${pcrText(pcr)}: not quoted, though the reference policy speaks of it. Quote it.`;
    return notChecked(name, text, mode === 'enforce' ? 'none' : 'warning');
  }
  const logged = replayed.get(pcr) ?? startOf(pcr, value.length);
  const phases = phasesAfter(pcr, terms.bank, logged, value);
  if (phases === undefined) {
    const text = `${pcrText(pcr)}: the log accounts for ${shortValue(logged)}, the TPM holds ${shortValue(value)}: extended after the log ended, or the log was edited. Reboot the node.`;
    return fail(name, text, ceiling);
  }
  const walked = walk([sequenceOf(pcr, measured)], terms);
  if (walked.complete) {
    const later = phases.length === 0 ? '' : `; then the boot phases ${phases.join(', ')}`;
    const text = `${pcrText(pcr)}: ${counted(measured.length, 'event')}, all as the reference policy has them${later}.`;
    return pass(name, text);
  }
  const remedy =
    'If this was changed on purpose, look at tidelock policy diff and sign the new alternative.';
  return fail(name, `${unmatchedText(pcr, measured, walked, terms)} ${remedy}`, ceiling);
}

const sequenceOf = (pcr: number, measured: readonly Measured[]): Sequence => ({
  pcr,
  digests: measured.flatMap((event) => (event.pcr === pcr ? [event.digest] : [])),
});

/** PCR 17 to 22 start as ones: nothing but a dynamic launch resets them (PTP 1.05, 4.6.1). */
const startOf = (pcr: number, lenBytes: number): Buffer =>
  Buffer.alloc(lenBytes, pcr >= 17 && pcr <= 22 ? 0xff : 0);

/** An alternative is a whole: its events in one register go with its events in the others. */
function agreementCheck(
  passed: readonly (readonly [pcr: number, mode: RegisterMode])[],
  measured: readonly Measured[],
  terms: Terms,
): Check[] {
  if (passed.length < 2) return [];
  const agree = (registers: typeof passed): boolean =>
    walk(
      registers.map(([pcr]) => sequenceOf(pcr, measured)),
      terms,
    ).complete;
  const name = 'components';
  const list = passed.map(([pcr]) => pcr).join(', ');
  if (agree(passed)) {
    return [limits('executables', pass(name, `PCR ${list} come from the same alternatives.`))];
  }
  const enforced = passed.filter(([, mode]) => mode === 'enforce');
  const text = `PCR ${list} each hold what is enrolled, but of different alternatives of a component: half of an update, perhaps. Reboot the node; otherwise sign this combination.`;
  const ceiling = agree(enforced) ? 'warning' : 'contraindicated';
  return [about('executables', fail(name, text, ceiling))];
}

function restCheck({ registers }: ReferencePolicy, measured: readonly Measured[]): Check[] {
  const rest = [...new Set(measured.map(({ pcr }) => pcr))]
    .filter((pcr) => !(String(pcr) in registers))
    .sort((a, b) => a - b);
  if (rest.length === 0) return [];
  const text = `PCR ${rest.join(', ')} were measured into as well; the reference policy does not speak of them.`;
  return [notChecked('other registers', text)];
}

/** Registers of settings; the others hold code (Firmware Profile 1.06, 3.3.4). */
const SETTINGS: ReadonlySet<number> = new Set([1, 3, 5, 6, 7, 8, 12, 14]);

const claimOf = (pcr: number): TrustClaim => (SETTINGS.has(pcr) ? 'configuration' : 'executables');
