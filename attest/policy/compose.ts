// Makes the components of a reference policy out of golden nodes' event logs, and adds what another node or
// an update would measure. Each component lies in one register, so that what changed has one name.
import { hex, sha256, utf8 } from '#agent/base/bytes.ts';
import type { EventLog } from '#attest/eventlog/parse.ts';
import type { PolicyBank } from '#attest/owned.ts';
import type { PolicyAlternative, PolicyComponent, PolicyEvent } from './document.ts';
import { measuredIn, tellEvent, type Measured } from './measured.ts';

/** A log with words that say which node it is of: its file, as a rule. */
export interface GoldenLog {
  readonly log: EventLog;
  readonly note: string;
}

/** Up to the separator of a register, and after it (Firmware Profile 1.06, 3.3.4). */
const BEFORE: readonly string[] = [
  'firmware-code',
  'firmware-settings',
  'option-roms',
  'option-rom-settings',
  'boot-attempts',
  'boot-attempt-settings',
  'platform',
  'secure-boot-policy',
];
const AFTER: readonly string[] = [
  'late-firmware-code',
  'late-firmware-settings',
  'late-option-roms',
  'late-option-rom-settings',
  'boot-stage',
  'partition-table',
  'late-platform',
  'secure-boot-authorities',
];
/** UAPI Linux TPM PCR registry. */
const REST: Readonly<Record<number, string>> = {
  8: 'boot-commands',
  9: 'boot-files',
  11: 'kernel-image',
  12: 'kernel-command-line',
  13: 'system-extensions',
  14: 'machine-owner-keys',
};
const BOOT_PCR = 4;
/** A log has fewer events than that. */
const MAX_STAGES = 100_000;

/** Events of one component of one boot. */
export interface Part {
  readonly name: string;
  readonly events: readonly PolicyEvent[];
}

/** The components of one boot, register by register in their order. */
export function partsOf(log: EventLog, bank: PolicyBank): Part[] {
  const registers = Map.groupBy(measuredIn(log, bank), ({ pcr }) => pcr);
  return [...registers]
    .sort(([a], [b]) => a - b)
    .flatMap(([pcr, measured]) => registerParts(pcr, measured, bank));
}

const part = (name: string, events: readonly PolicyEvent[]): Part[] =>
  events.length === 0 ? [] : [{ name, events }];

function registerParts(pcr: number, measured: readonly Measured[], bank: PolicyBank): Part[] {
  const events = measured.map((event) => policyEvent(event, bank));
  const [before, after] = [BEFORE[pcr], AFTER[pcr]];
  if (before === undefined || after === undefined) return part(REST[pcr] ?? `pcr-${pcr}`, events);
  const separator = events.findIndex(({ type }) => type === 'EV_SEPARATOR');
  if (separator < 0) return part(before, events);
  const late = events.slice(separator + 1);
  return [
    ...part(before, events.slice(0, separator)),
    ...part(`separator-${pcr}`, events.slice(separator, separator + 1)),
    // Shim, boot loader and kernel are updated one by one.
    ...(pcr === BOOT_PCR
      ? late.flatMap((event, i) => part(`${after}-${i + 1}`, [event]))
      : part(after, late)),
  ];
}

function policyEvent({ pcr, digest, event }: Measured, bank: PolicyBank): PolicyEvent {
  const { type, about, covered } = tellEvent(event);
  const words = covered ? about : `${about} (not measured)`;
  return { pcr, type, digests: { [bank]: digest }, about: words };
}

/** The components that allow exactly the boots of `golden`, each part of one with each of another. */
export const composeComponents = (
  golden: readonly GoldenLog[],
  bank: PolicyBank,
): PolicyComponent[] =>
  golden.reduce<PolicyComponent[]>(
    (components, each, i) => addBoot(components, each, { bank, isFirst: i === 0 }),
    [],
  );

/**
 * `components` that allow another boot as well; from `notBefore` on (Unix milliseconds) where it is given.
 * A part that the boot lacks may then be absent, and one that only it has, too.
 */
export function addBoot(
  components: readonly PolicyComponent[],
  { log, note }: GoldenLog,
  how: { readonly bank: PolicyBank; readonly isFirst?: boolean; readonly notBefore?: number },
): PolicyComponent[] {
  const { bank, isFirst = false, notBefore } = how;
  const parts = partsOf(log, bank);
  const byName = new Map(parts.map(({ name, events }) => [name, events]));
  const known = new Set(components.map(({ name }) => name));
  const naming = { note, bank, notBefore };
  const absent = isFirst ? [] : [alternativeOf([], { note: 'absent', bank, notBefore: undefined })];
  const extended = components.map(({ name, alternatives }) => ({
    name,
    alternatives: withAlternative(alternatives, byName.get(name) ?? [], naming),
  }));
  return parts
    .filter(({ name }) => !known.has(name))
    .map(({ name, events }) => ({ name, alternatives: withAlternative(absent, events, naming) }))
    .reduce(inserted, extended);
}

/** Components of one register must follow each other as its events do; those of others need not. */
function inserted(
  components: readonly PolicyComponent[],
  fresh: PolicyComponent,
): PolicyComponent[] {
  const at = components.findLastIndex((component) => rankOf(component) <= rankOf(fresh)) + 1;
  return components.toSpliced(at, 0, fresh);
}

interface Naming {
  readonly note: string;
  readonly bank: PolicyBank;
  readonly notBefore: number | undefined;
}

function withAlternative(
  alternatives: readonly PolicyAlternative[],
  events: readonly PolicyEvent[],
  naming: Naming,
): PolicyAlternative[] {
  const alternative = alternativeOf(events, naming);
  const there = alternatives.find(({ id }) => id === alternative.id);
  if (there === undefined) return [...alternatives, alternative];
  const isSooner = (naming.notBefore ?? 0) < (there.notBefore ?? 0);
  return isSooner ? alternatives.with(alternatives.indexOf(there), alternative) : [...alternatives];
}

/** Named by its digests, so that the same measurements always have the same name. */
function alternativeOf(
  events: readonly PolicyEvent[],
  { note, bank, notBefore }: Naming,
): PolicyAlternative {
  const text = events.map(({ pcr, digests }) => `${pcr}:${digests[bank]}`).join('\n');
  const id = events.length === 0 ? 'absent' : hex(sha256(utf8(text))).slice(0, 16);
  return { id, note, ...(notBefore === undefined ? {} : { notBefore }), events: [...events] };
}

function rankOf({ name, alternatives }: PolicyComponent): number {
  const pcr = alternatives.flatMap(({ events }) => events)[0]?.pcr ?? 0;
  const [, stage] = /^boot-stage-(\d+)$/.exec(name) ?? [];
  const isLate = AFTER.includes(name) || stage !== undefined;
  const phase = name.startsWith('separator-') ? 1 : isLate ? 2 : 0;
  return (pcr * 3 + phase) * MAX_STAGES + Number(stage ?? 0);
}
