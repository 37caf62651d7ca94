// Whether Secure Boot was on, decided only on what firmware measured before its separator (Firmware
// Profile 1.06, 3.3.4.8), and never on the type of an event (ATTESTATION trap 1).
import type { Finding } from '#attest/finding.ts';
import type { ReadEvent } from './decode.ts';
import { GLOBAL_VARIABLE } from './guid.ts';
import { ifReadable } from './readable.ts';
import { SECURE_BOOT_PCR, type Registers } from './registers.ts';
import { separatorsOf } from './separator.ts';
import { EV_NO_ACTION } from './types.ts';
import { parseVariable } from './variable.ts';

/** What a log says of Secure Boot. */
export interface SecureBootState {
  /** Null when the log does not say it beyond doubt; a finding says why. */
  readonly enabled: boolean | null;
  readonly findings: readonly Finding[];
}

/** The state that `events` account for. It does not say that the registers hold it: a quote does. */
export function secureBootOf(events: readonly ReadEvent[], registers: Registers): SecureBootState {
  const register = registers.holding(SECURE_BOOT_PCR);
  const end = separatorsOf(events).get(register) ?? Infinity;
  const own = events.filter(({ pcr, type }) => pcr === register && type !== EV_NO_ACTION);
  const late = own.filter(({ index }) => index > end);
  const early = own.filter(({ index }) => index < end);
  const findings = late
    .filter(isSecureBoot)
    .map((event) =>
      about(
        event,
        'SECURE_BOOT_LATE',
        `SecureBoot measured after the separator of ${registers.nameOf(register)}: by the system, not by firmware. It is ignored.`,
      ),
    );
  const { enabled, finding } = stateOf(early, registers);
  return { enabled, findings: finding === undefined ? findings : [...findings, finding] };
}

interface State {
  readonly enabled: boolean | null;
  readonly finding?: Finding;
}

/** Of what firmware measured into the register. */
function stateOf(early: readonly ReadEvent[], { kind, nameOf }: Registers): State {
  // Where one register stands for PCR 1 too, events that only describe belong there.
  const uncovered = early.find(
    (event) => event.coverage.part === 'none' && (kind === 'pcr' || isSecureBoot(event)),
  );
  if (uncovered !== undefined) {
    const text = `An event of ${nameOf(uncovered.pcr)} before its separator is not what was measured: it is SecureBoot or may hide it, so that its state is not known.`;
    return { enabled: null, finding: about(uncovered, 'SECURE_BOOT_NOT_COVERED', text, 'error') };
  }
  const said = early.filter(isSecureBoot);
  const [first] = said;
  if (first === undefined) {
    const text = 'The log measures no SecureBoot variable, so that its state is not known.';
    const code = 'SECURE_BOOT_MISSING';
    return { enabled: null, finding: { code, severity: 'info', event: null, pcr: null, text } };
  }
  const different = said.find((event) => !measuredOf(event).equals(measuredOf(first)));
  if (different !== undefined) {
    const text = `SecureBoot was measured ${said.length} times with different contents, so that its state is not known.`;
    return { enabled: null, finding: about(different, 'SECURE_BOOT_AMBIGUOUS', text) };
  }
  return stateOfValue(first, parseVariable(measuredOf(first)).contents);
}

function stateOfValue(event: ReadEvent, contents: Buffer): State {
  if (contents.length === 0) {
    const text =
      'SecureBoot was measured empty: the firmware has no Secure Boot or did not set it up, which the log cannot tell apart.';
    return { enabled: null, finding: about(event, 'SECURE_BOOT_EMPTY', text) };
  }
  const [value] = contents;
  if (contents.length === 1 && (value === 0 || value === 1)) return { enabled: value === 1 };
  const text = `SecureBoot was measured with ${contents.length} bytes that are neither 0 nor 1.`;
  return { enabled: null, finding: about(event, 'SECURE_BOOT_INVALID', text) };
}

/** What was measured; the data where that is not known. */
const measuredOf = ({ coverage, data }: ReadEvent): Buffer =>
  coverage.part === 'none' ? data : coverage.measured;

/** By the bytes alone, whatever the type says. */
function isSecureBoot(event: ReadEvent): boolean {
  const variable = ifReadable(() => parseVariable(measuredOf(event)));
  return variable?.guid === GLOBAL_VARIABLE && variable.name === 'SecureBoot';
}

const about = (
  { index, pcr }: ReadEvent,
  code: string,
  text: string,
  severity: Finding['severity'] = 'warning',
): Finding => ({ code, severity, event: index, pcr, text });
