// How old an authentic report's platform may be: floors of a policy for its TCBs, its firmware and the
// mitigations in force. What a floor finds too low it names, with what to do about it.
import { about, fail, notChecked, pass, type Check } from '#attest/check.ts';
import type { SnpPolicy } from './policy.ts';
import { firmwareOrder, firmwareText, type SnpReport } from './report.ts';
import { readTcb, shortfalls, shortfallText, tcbText, type Tcb } from './tcb.ts';
import type { Vek } from './vek.ts';

/** Judges an authentic report by the floors of `policy`; without one for its TCB it is a warning at best. */
export const floorChecks = (report: SnpReport, { product }: Vek, policy: SnpPolicy): Check[] =>
  [
    tcbFloor(readTcb(report.reportedTcb, product), policy.min_tcb),
    launchFloor(readTcb(report.launchTcb, product), policy.min_launch_tcb),
    firmwareFloor(report, policy.min_firmware),
    mitigationFloor(report, policy.required_mit_vector),
  ]
    .flat()
    .map((check) => about('hardware', check));

function tcbFloor(tcb: Tcb, floor: Tcb | undefined): Check {
  const name = 'TCB floor';
  if (floor === undefined) {
    const text = `The policy sets no min_tcb: whether ${tcbText(tcb)} is stale is not known.`;
    return notChecked(name, text, 'warning');
  }
  const short = shortfalls(tcb, floor);
  return short.length === 0
    ? pass(name, `The reported TCB, ${tcbText(tcb)}, reaches the policy’s floor.`)
    : fail(name, `The reported TCB is stale: ${shortfallText(short)}.`);
}

function launchFloor(tcb: Tcb, floor: Tcb | undefined): Check[] {
  const name = 'launch TCB floor';
  if (floor === undefined) return [];
  const short = shortfalls(tcb, floor);
  return short.length === 0
    ? [pass(name, `The guest was launched at ${tcbText(tcb)}, which reaches the policy’s floor.`)]
    : [
        fail(
          name,
          `The guest was launched at a stale TCB: ${shortfallText(short)}; launch it anew.`,
        ),
      ];
}

function firmwareFloor({ current }: SnpReport, floor: SnpPolicy['min_firmware']): Check[] {
  const name = 'firmware floor';
  if (floor === undefined) return [];
  const [major = 0, minor = 0, build = 0] = floor.split('.').map(Number);
  const runs = firmwareText(current);
  return firmwareOrder(current) >= firmwareOrder({ major, minor, build })
    ? [pass(name, `Firmware ${runs} is not below ${floor}.`)]
    : [fail(name, `Firmware is ${runs}, needs ${floor}: update the SEV firmware on the host.`)];
}

function mitigationFloor(
  { mitigations, version }: SnpReport,
  required: string | undefined,
): Check[] {
  const name = 'mitigations';
  if (required === undefined) return [];
  if (mitigations === undefined) {
    return [
      fail(name, `Reports of version ${version} name no mitigations: update the SEV firmware.`),
    ];
  }
  const missing = BigInt(required) & ~(mitigations.launch & mitigations.current);
  return missing === 0n
    ? [pass(name, 'Every mitigation that the policy requires was in force at launch and is now.')]
    : [
        fail(
          name,
          `Mitigations 0x${missing.toString(16)} were not in force at launch, or are not now: update the firmware and launch the guest anew.`,
        ),
      ];
}
