// Findings on the order of a boot: separators, firmware measurements that come after them, and the
// hand-over to the operating system, before which alone the boot loader's digests are firmware's word.
import type { Finding } from '#attest/finding.ts';
import type { ReadEvent } from './decode.ts';
import { onEvent, onLog, type ReadLog } from './findings.ts';
import { FIRMWARE_PCRS, HANDOVER_PCR, SECURE_BOOT_PCR, type Registers } from './registers.ts';
import { measures } from './replay.ts';
import {
  EXIT_BOOT_SERVICES,
  isErrorSeparator,
  isExitBootServices,
  isSeparator,
  separatorsOf,
  type Separators,
} from './separator.ts';
import { EV_NO_ACTION, eventTypeName } from './types.ts';

/** Registers that nothing goes to after the separator; PCR 1 takes boot variables on real machines. */
const CLOSED_PCRS: readonly number[] = [0, 2, 3, 6];
/** Actions in the Secure Boot register that weaken it (Firmware Profile 1.06, 10.4.4). */
const WEAKENING: ReadonlyMap<string, string> = new Map([
  ['UEFI Debug Mode', 'DEBUG_MODE'],
  ['DMA Protection Disabled', 'DMA_PROTECTION_DISABLED'],
]);

/** The end of firmware's part: what comes after, the operating system measured, and could make up. */
export interface Handover {
  /** Position of the first call of ExitBootServices in any bank; Infinity when the log has none. */
  readonly at: number;
  /** Whether all banks have it: only then is what comes before proven to be no addition. */
  readonly measured: boolean;
}

/** Finds it. */
export function handoverOf(events: readonly ReadEvent[], registers: Registers): Handover {
  const register = registers.holding(HANDOVER_PCR);
  const call = events.find((event) => event.pcr === register && isExitBootServices(event));
  return call === undefined
    ? { at: Infinity, measured: false }
    : { at: call.index, measured: measures(call, EXIT_BOOT_SERVICES) };
}

/** Findings on order. */
export function orderFindings({ events, registers }: ReadLog): Finding[] {
  // Firmware measures four zero bytes for other things too; what follows only warns, so types will do.
  const separators = separatorsOf(events.filter(isLabelled));
  return [
    ...missingSeparators(separators, registers),
    ...events.flatMap((event) => [
      ...separatorFindings(event, separators, registers),
      ...lateFindings(event, separators, registers),
      ...weakeningFindings(event, registers),
    ]),
    ...handoverFindings(events, registers),
  ];
}

function missingSeparators(separators: Separators, registers: Registers): Finding[] {
  // Guest firmware differs in which registers it separates, but for that of Secure Boot.
  const pcrs = registers.kind === 'pcr' ? FIRMWARE_PCRS : [SECURE_BOOT_PCR];
  const due = pcrs.map(registers.holding);
  const missing = due.filter((register) => !separators.has(register));
  if (missing.length === 0) return [];
  const names = missing.map(registers.nameOf).join(', ');
  const text = `No separator in ${names}: what firmware measured cannot be told from what came later.`;
  return [onLog('SEPARATOR_MISSING', 'warning', text)];
}

function separatorFindings(
  event: ReadEvent,
  separators: Separators,
  registers: Registers,
): Finding[] {
  const name = registers.nameOf(event.pcr);
  if (isErrorSeparator(event)) {
    const text = `Firmware measured an error into ${name} in place of a separator. Look into the firmware's own log.`;
    return [onEvent(event, 'SEPARATOR_ERROR', 'warning', text)];
  }
  const again =
    isLabelled(event) &&
    isSeparator(event) &&
    event.index > (separators.get(event.pcr) ?? Infinity);
  if (!again || registers.kind === 'rtmr') return []; // where one stands for several PCRs
  const text = `${name} has a second separator; the first one counts.`;
  return [onEvent(event, 'SEPARATOR_REPEATED', 'warning', text)];
}

function lateFindings(event: ReadEvent, separators: Separators, registers: Registers): Finding[] {
  const late = event.index > (separators.get(event.pcr) ?? Infinity);
  if (!late || event.type === EV_NO_ACTION || isSeparator(event)) return [];
  const type = eventTypeName(event.type);
  const closed = registers.kind === 'pcr' && CLOSED_PCRS.includes(event.pcr);
  const policy =
    event.pcr === registers.holding(SECURE_BOOT_PCR) && type === 'EV_EFI_VARIABLE_DRIVER_CONFIG';
  if (!policy && !closed) return [];
  const text = `${type} comes after the separator of ${registers.nameOf(event.pcr)}: it is not firmware's own measurement.`;
  return [onEvent(event, 'AFTER_SEPARATOR', 'warning', text)];
}

function handoverFindings(events: readonly ReadEvent[], registers: Registers): Finding[] {
  if (handoverOf(events, registers).measured) return [];
  const text =
    'The log has no measured call of ExitBootServices: whatever ran after the boot loader could have added measurements of further boot loaders, so that their digests are not proven.';
  return [onLog('EXIT_BOOT_SERVICES_MISSING', 'warning', text)];
}

function weakeningFindings(event: ReadEvent, registers: Registers): Finding[] {
  const text = measuredText(event);
  const code = WEAKENING.get(text ?? '');
  if (code === undefined || event.pcr !== registers.holding(SECURE_BOOT_PCR)) return [];
  return [
    onEvent(event, code, 'warning', `Firmware measured "${text}": turn it off in its setup.`),
  ];
}

const isLabelled = ({ type }: ReadEvent): boolean => eventTypeName(type) === 'EV_SEPARATOR';

/** The text of an event, when that text was measured. */
const measuredText = ({ coverage, decoded }: ReadEvent): string | undefined =>
  coverage.part === 'whole' && decoded.kind === 'text' ? decoded.text : undefined;
