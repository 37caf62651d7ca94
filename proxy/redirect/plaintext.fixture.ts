// For tests: what may reach and leave a pod outside of lanes, as it is by default.
import type { Plaintext } from './ruleset.ts';

/** Nothing comes in, UDP is left alone. */
export const BY_DEFAULT: Plaintext = {
  inbound: 'refuse',
  inboundExcept: [],
  udp: 'leave',
  udpExcept: [],
};
