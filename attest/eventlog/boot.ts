// What a log says of one boot: keys, authorities, boot loaders, command line, unified kernel image. Each
// fact says whether it was measured; paths and names of images never are, and only describe.
import { hex } from '#agent/base/bytes.ts';
import type { HashName } from '#attest/tpm/algorithms.ts';
import type { ReadEvent } from './decode.ts';
import { commandLine, isFile, isMokList, isSection, lineOf } from './loaderLine.ts';
import { handoverOf, type Handover } from './order.ts';
import { LOADER_PCR, SECURE_BOOT_PCR, type Registers } from './registers.ts';
import { separatorsOf } from './separator.ts';
import type { SignatureLists } from './signatureList.ts';
import { EV_NO_ACTION, eventTypeName } from './types.ts';

/** Hex by bank. */
export type DigestTexts = Readonly<Partial<Record<HashName, string>>>;

interface Fact {
  /** Index of the event that says it. */
  readonly event: number;
  /** Whether a digest covers it; false for what only describes. */
  readonly measured: boolean;
}

/** Something that a boot loader measured under a name, which only describes. */
interface NamedDigests {
  readonly event: number;
  readonly name: string;
  readonly digests: DigestTexts;
}

/** An image whose digests are those of its code; its path only describes. */
interface Image extends Fact {
  readonly path: string | null;
  readonly digests: DigestTexts;
}

/** What one boot measured, as far as the log says it. */
export interface BootFacts {
  /** PK, KEK, db, dbx and others of their kind. */
  readonly keys: readonly (Fact & SignatureLists & { readonly name: string })[];
  /** What authorised the images that were started; shim's SbatLevel and certificates among them. */
  readonly authorities: readonly (Fact & { readonly name: string; readonly text: string })[];
  /** shim's lists of machine owner keys, of which the log has the digests. */
  readonly mokLists: readonly NamedDigests[];
  readonly bootOrder: readonly string[];
  readonly bootOptions: readonly (Fact & {
    readonly name: string;
    readonly description: string;
    readonly path: string;
  })[];
  /** Started by firmware or by a boot loader; `measured` when ExitBootServices was measured after it. */
  readonly efiApplications: readonly Image[];
  /** Drivers and option ROMs that firmware loaded; `measured` by the same rule. */
  readonly efiDrivers: readonly Image[];
  /** The last one that was measured, without the NUL that ends it; null when there is none. */
  readonly kernelCommandLine: string | null;
  readonly kernelCommandLines: readonly (Fact & { readonly text: string })[];
  /** Files that a boot loader read; the digest is that of the file, its name only describes. */
  readonly files: readonly NamedDigests[];
  /** Sections of a unified kernel image (PCR 11). */
  readonly ukiSections: readonly NamedDigests[];
  /** Whether the hand-over to the operating system was measured. */
  readonly exitBootServices: boolean;
}

/** Collects the facts. */
export function bootFacts(events: readonly ReadEvent[], registers: Registers): BootFacts {
  const extended = events.filter(({ type }) => type !== EV_NO_ACTION);
  const handover = handoverOf(events, registers);
  const commandLines = extended.flatMap((event) => {
    const text = commandLine(event, registers);
    return text === undefined ? [] : [{ ...factOf(event, handover), text }];
  });
  const variables = extended.flatMap((event) => variableEvent(event, handover));
  const policy = policyVariables(extended, variables, registers);
  return {
    keys: policy.flatMap(keys),
    authorities: policy.flatMap(authority),
    mokLists: extended.filter(isMokList).map(digestsOfName),
    bootOrder: variables.flatMap(({ value, fact }) =>
      value.form === 'bootOrder' && fact.measured ? value.order : [],
    ),
    bootOptions: variables.flatMap(bootOption),
    efiApplications: extended
      .filter((event) => isApplication(event) && event.pcr === registers.holding(LOADER_PCR))
      .map((event) => image(event, handover)),
    efiDrivers: extended.filter(isDriver).map((event) => image(event, handover)),
    kernelCommandLine: commandLines.findLast(({ measured }) => measured)?.text ?? null,
    kernelCommandLines: commandLines,
    files: extended.filter(isFile).map(digestsOfName),
    ukiSections: extended.filter((event) => isSection(event, registers)).map(digestsOfName),
    exitBootServices: handover.measured,
  };
}

/** The digests of an event as text. */
export const digestTexts = ({ digests }: Pick<ReadEvent, 'digests'>): DigestTexts =>
  Object.fromEntries(Array.from(digests, ([bank, digest]) => [bank, hex(digest)]));

type VariableEvent = Extract<ReadEvent['decoded'], { kind: 'variable' }> & {
  readonly type: string;
  readonly pcr: number;
  readonly fact: Fact;
};

/** What comes after the hand-over, the operating system measured, and could make up. */
const factOf = ({ index, coverage }: ReadEvent, handover: Handover): Fact => ({
  event: index,
  measured: coverage.part !== 'none' && index < handover.at,
});

function variableEvent(event: ReadEvent, handover: Handover): VariableEvent[] {
  const { decoded, type, pcr } = event;
  if (decoded.kind !== 'variable') return [];
  return [{ ...decoded, type: eventTypeName(type), pcr, fact: factOf(event, handover) }];
}

/** Those of the Secure Boot register; keys count only before its separator. */
function policyVariables(
  events: readonly ReadEvent[],
  variables: readonly VariableEvent[],
  registers: Registers,
): VariableEvent[] {
  const register = registers.holding(SECURE_BOOT_PCR);
  const end = separatorsOf(events).get(register) ?? Infinity;
  return variables
    .filter(({ pcr }) => pcr === register)
    .map((variable) => {
      const { type, fact } = variable;
      const late = type === 'EV_EFI_VARIABLE_DRIVER_CONFIG' && fact.event > end;
      return late ? { ...variable, fact: { ...fact, measured: false } } : variable;
    });
}

function keys({ type, name, value, fact }: VariableEvent): BootFacts['keys'] {
  if (type !== 'EV_EFI_VARIABLE_DRIVER_CONFIG') return [];
  if (value.form === 'empty') return [{ ...fact, name, certificates: [], counts: {} }];
  if (value.form !== 'signatures') return [];
  return [{ ...fact, name, certificates: value.certificates, counts: value.counts }];
}

function authority({ type, name, value, fact }: VariableEvent): BootFacts['authorities'] {
  if (type !== 'EV_EFI_VARIABLE_AUTHORITY') return [];
  switch (value.form) {
    case 'certificate':
      return [{ ...fact, name, text: value.certificate.subject }];
    case 'text':
      return [{ ...fact, name, text: value.text }];
    case 'flag':
      return [{ ...fact, name, text: String(value.value) }];
    default:
      return [{ ...fact, name, text: '' }];
  }
}

function bootOption({ name, value, fact }: VariableEvent): BootFacts['bootOptions'] {
  if (value.form !== 'bootOption') return [];
  return [{ ...fact, name, description: value.description, path: value.path }];
}

const isApplication = ({ type }: ReadEvent): boolean =>
  eventTypeName(type) === 'EV_EFI_BOOT_SERVICES_APPLICATION';

const isDriver = ({ type }: ReadEvent): boolean =>
  /^EV_EFI_(BOOT|RUNTIME)_SERVICES_DRIVER$/.test(eventTypeName(type));

function image(event: ReadEvent, handover: Handover): Image {
  const { decoded, index, complete } = event;
  const path = decoded.kind === 'image' ? (decoded.file ?? decoded.path) : null;
  const measured = complete && index < handover.at && handover.measured;
  return { event: index, measured, path, digests: digestTexts(event) };
}

const digestsOfName = (event: ReadEvent): NamedDigests => ({
  event: event.index,
  name: lineOf(event),
  digests: digestTexts(event),
});
