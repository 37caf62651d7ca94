// Every check of `tidelock doctor`, in the order of the report: a check stands after those it needs.
import { BUS_CHECKS } from './bus.ts';
import type { Check } from './check.ts';
import { CLIENTS_CHECK } from './clients.ts';
import { CLOCK_CHECKS } from './clock.ts';
import { DOCUMENT_CHECKS } from './documents.ts';
import { HOST_CHECKS, LIMIT_CHECKS } from './host.ts';
import { LEASE_CHECK } from './lease.ts';
import { LIVE_CHECKS } from './live.ts';
import { REDIRECT_CHECKS } from './nftables.ts';
import { PROBE_CHECKS } from './probes.ts';
import { TPM_CHECKS } from './tpm.ts';
import { TRACING_CHECKS } from './tracing.ts';

export const CHECKS: readonly Check[] = [
  ...HOST_CHECKS,
  ...TRACING_CHECKS,
  ...PROBE_CHECKS,
  ...DOCUMENT_CHECKS,
  ...LIMIT_CHECKS,
  ...TPM_CHECKS,
  ...BUS_CHECKS,
  LEASE_CHECK,
  ...CLOCK_CHECKS,
  ...REDIRECT_CHECKS,
  ...LIVE_CHECKS,
  CLIENTS_CHECK,
];
