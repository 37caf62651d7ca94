// Who decides about a register: the reference policy where it names one, a node's enrolled values else.
import type { AttestationPolicy } from '#attest/policy.ts';
import { registersOf, type ReferencePolicy } from './document.ts';

type Asked = Pick<AttestationPolicy, 'bank' | 'enforce' | 'warn'>;

/** What is left of the attestation policy for enrolled values to decide. */
export function unnamedBy(
  reference: ReferencePolicy | undefined,
  { bank, enforce, warn }: Asked,
): Asked {
  const isUnnamed = (pcr: number): boolean => !(String(pcr) in (reference?.registers ?? {}));
  return { bank, enforce: enforce.filter(isUnnamed), warn: warn.filter(isUnnamed) };
}

/** The reference policy, enforcing what the attestation policy enforces, whatever it says itself. */
export const strictest = (
  reference: ReferencePolicy,
  { enforce }: Pick<Asked, 'enforce'>,
): ReferencePolicy => ({
  ...reference,
  registers: Object.fromEntries(
    registersOf(reference).map(([pcr, mode]) => [
      String(pcr),
      enforce.includes(pcr) ? 'enforce' : mode,
    ]),
  ),
});
