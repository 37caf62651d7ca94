// For tests: the sections of a status that are the same wherever one is made up.
import { USUAL_LIMITS } from '#proxy/snapshot.ts';

/** Settings of lanes, as they are by default. */
export const LANE_SETTINGS = {
  sourceAddress: 'preserve',
  onStop: 'closed',
  halfClosedSeconds: 3_600,
  limits: USUAL_LIMITS,
} as const;

/** Packets that rules have counted, of each kind another number. */
export const RULE_COUNTS = {
  refusedIn: 3,
  plainIn: 2,
  droppedOut: 1,
  udpOut: 20,
  udpIn: 10,
  udpRefused: 4,
} as const;

/** What passes outside of lanes, by default settings. */
export const OUTSIDE = {
  inbound: 'refuse',
  unmeshed: 'refuse',
  udp: 'leave',
  plainOut: 0,
  counts: RULE_COUNTS,
} as const;
