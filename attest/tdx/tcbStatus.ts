// What Intel says of a TCB level, how statements about the platform, the TDX module and the quoting
// enclave add up, and how good a verdict each leaves possible (Intel PCS API v4, TCB Info; AR4SI 2.3).
import type { Verdict } from '#attest/check.ts';

export const TCB_STATUSES = [
  'UpToDate',
  'SWHardeningNeeded',
  'ConfigurationNeeded',
  'ConfigurationAndSWHardeningNeeded',
  'OutOfDate',
  'OutOfDateConfigurationNeeded',
  'Revoked',
] as const;

export type TcbStatus = (typeof TCB_STATUSES)[number];

/** The one status that says what all of them say: out of date is graver than hardening needed. */
export function converge(statuses: readonly TcbStatus[]): TcbStatus {
  const says = (word: string): boolean => statuses.some((status) => status.includes(word));
  if (says('Revoked')) return 'Revoked';
  const configuration = says('Configuration');
  if (says('OutOfDate')) return configuration ? 'OutOfDateConfigurationNeeded' : 'OutOfDate';
  const hardening = says('SWHardening');
  if (configuration) return hardening ? 'ConfigurationAndSWHardeningNeeded' : 'ConfigurationNeeded';
  return hardening ? 'SWHardeningNeeded' : 'UpToDate';
}

/**
 * The best verdict that a status leaves possible. One that the owners accept is as good as it gets, but
 * what is out of date stays a warning and what is revoked is never accepted.
 */
export function ceilingOf(status: TcbStatus, accepted: readonly TcbStatus[]): Verdict {
  if (status === 'UpToDate') return 'affirming';
  if (status === 'Revoked') return 'contraindicated';
  const outOfDate = status.startsWith('OutOfDate');
  if (accepted.includes(status)) return outOfDate ? 'warning' : 'affirming';
  return outOfDate ? 'contraindicated' : 'warning';
}

const REMEDY: Readonly<Record<TcbStatus, string>> = {
  UpToDate: 'nothing to do',
  SWHardeningNeeded:
    'harden the software in the guest as the advisories say, then accept the status',
  ConfigurationNeeded:
    'change the settings of the host as the advisories say, or accept the status',
  ConfigurationAndSWHardeningNeeded:
    'change the settings of the host and harden the software in the guest as the advisories say',
  OutOfDate: 'update what falls short on the host, then have it registered again',
  OutOfDateConfigurationNeeded:
    'update what falls short on the host and change its settings as the advisories say',
  Revoked: 'the platform cannot be trusted any more: move the workload',
};

export const remedyOf = (status: TcbStatus): string => REMEDY[status];
