// Event logs and reference policies of tests: boots that differ in one thing.
import { utf8 } from '#agent/base/bytes.ts';
import { parseEventLog, type EventLog } from '#attest/eventlog/parse.ts';
import { writeEventLog, type EventToWrite } from '#attest/eventlog/write.ts';
import type { PolicyBank } from '#attest/owned.ts';
import { composeComponents, type GoldenLog } from '#attest/policy/compose.ts';
import { registersOf, type ReferencePolicy } from '#attest/policy/document.ts';
import { BOOT } from './boot.ts';

/** The log of a boot in both banks that policies use most. */
export const logOf = (events: readonly EventToWrite[]): EventLog =>
  parseEventLog(writeEventLog(events, ['sha256', 'sha384']));

/** `BOOT` with another image measured as its boot loader or kernel. */
export const updatedBoot = (pcr: number, image: string): EventToWrite[] =>
  BOOT.map((event) =>
    event.pcr === pcr && event.measured ? { ...event, measured: utf8(image) } : event,
  );

/** A policy that enforces every register that the golden logs extend. */
export function policyOf(
  golden: readonly GoldenLog[],
  change: Partial<ReferencePolicy> = {},
  bank: PolicyBank = 'sha256',
): ReferencePolicy {
  const components = composeComponents(golden, bank);
  const events = components.flatMap(({ alternatives }) => alternatives.flatMap((a) => a.events));
  const registers = Object.fromEntries(events.map(({ pcr }) => [String(pcr), 'enforce' as const]));
  const policy: ReferencePolicy = { v: 1, name: 'test', issuedAt: 0, bank, registers, components };
  return { ...policy, ...change };
}

/** `policy` that only warns of `pcr`. */
export const warningOf = (policy: ReferencePolicy, pcr: number): ReferencePolicy => ({
  ...policy,
  registers: Object.fromEntries(
    registersOf(policy).map(([each, mode]) => [String(each), each === pcr ? 'warn' : mode]),
  ),
});
