// Requests while keys rotate, and the same without: lanes with the shortest period beside lanes with the
// longest, these within one slot. An agent that rotates elsewhere on the machine would disturb both alike
// and hide what rotation costs, so whoever is not measured stands still meanwhile.
import { writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { cgroupOf } from '#hwtest/rig/leftovers.ts';
import type { Values } from './figures.ts';
import { requestsUnderRotation } from './measure.ts';
import type { Subject } from './subject.ts';

/** The shortest that an owners' policy allows by default; of the lanes that are compared too. */
export const SHORT_PERIOD_MS = 5000;
/** The longest that configuration allows. */
export const LONG_PERIOD_MS = 30_000;
/** Around the load, within a slot: what a slot begins with is over, and the load is before it ends. */
const MARGIN_MS = 3000;
const QUIET_MS = LONG_PERIOD_MS - 2 * MARGIN_MS;
/** Who stood still while others were measured has so long to catch up with what it missed. */
const SETTLE_MS = 2 * SHORT_PERIOD_MS;
/** Until who stood still is in step again and settled, and a slot with room for the load has begun. */
const WAIT_SECONDS = 14;

const loadMs = (rotations: number): number => rotations * SHORT_PERIOD_MS;

/** About how long measureRotation takes. */
export const rotationSeconds = (rotations: number): number =>
  loadMs(rotations) / 1000 + WAIT_SECONDS;

/** For as long as `rotations` short periods, at most a long one; may be a part of one. */
export async function measureRotation(
  subject: Subject,
  present: readonly Subject[],
  rotations: number,
): Promise<Values> {
  const others = present.filter(({ agents, rig }) => agents && rig !== subject.rig);
  await subject.agents?.inStep();
  if (others.length > 0) await pause(SETTLE_MS);
  const isSteady = subject.agents?.periodMs === LONG_PERIOD_MS;
  const forMs = isSteady ? Math.min(loadMs(rotations), QUIET_MS) : loadMs(rotations);
  if (isSteady) await pause(untilQuietMs(Date.now(), forMs));
  try {
    others.forEach((other) => freeze(other, true));
    return await requestsUnderRotation(subject, forMs / 1000);
  } finally {
    others.forEach((other) => freeze(other, false));
  }
}

/** Until a long slot has `forMs` left, margins apart; slots count from the epoch (PROTOCOL 4.1). */
export function untilQuietMs(nowMs: number, forMs: number): number {
  const intoMs = nowMs % LONG_PERIOD_MS;
  if (intoMs < MARGIN_MS) return MARGIN_MS - intoMs;
  return intoMs + forMs + MARGIN_MS <= LONG_PERIOD_MS ? 0 : LONG_PERIOD_MS - intoMs + MARGIN_MS;
}

/** All processes of a rig, its bus and TPMs included (cgroup-v2.rst, "cgroup.freeze"). */
const freeze = ({ rig }: Subject, isFrozen: boolean): void =>
  writeFileSync(`${cgroupOf(rig.id)}/cgroup.freeze`, isFrozen ? '1' : '0');
