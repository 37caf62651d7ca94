// Boot phases that systemd measures into PCR 11 after the firmware's log has ended (systemd-pcrphase(8),
// UAPI Linux TPM PCR registry). Their words are constants, so that a register tells which were reached.
import { hash } from 'node:crypto';
import { equal } from '#agent/base/bytes.ts';
import { extend } from '#attest/eventlog/replay.ts';
import type { HashName } from '#attest/tpm/algorithms.ts';

const PHASE_PCR = 11;
/** In the order of a boot; a system without an initrd begins at the third. */
const PHASES = ['enter-initrd', 'leave-initrd', 'sysinit', 'ready', 'shutdown', 'final'] as const;
const WITHOUT_INITRD = 2;

/**
 * How `value` of a register comes of what a log accounts for: as it is (no phase), or, for PCR 11, by the
 * phases of a boot in their order; undefined when it does not.
 */
export function phasesAfter(
  pcr: number,
  bank: HashName,
  logged: Buffer,
  value: Buffer,
): readonly string[] | undefined {
  if (equal(logged, value)) return [];
  if (pcr !== PHASE_PCR) return undefined;
  return (
    reached(PHASES, bank, logged, value) ??
    reached(PHASES.slice(WITHOUT_INITRD), bank, logged, value)
  );
}

function reached(
  phases: readonly string[],
  bank: HashName,
  logged: Buffer,
  value: Buffer,
): readonly string[] | undefined {
  let register = logged;
  for (const [i, phase] of phases.entries()) {
    register = extend(bank, register, hash(bank, phase, 'buffer'));
    if (equal(register, value)) return phases.slice(0, i + 1);
  }
  return undefined;
}
