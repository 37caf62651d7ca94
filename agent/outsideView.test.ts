// Tests of what status says of traffic outside of lanes.
import { describe, expect, it, test } from 'vitest';
import { NO_COUNTS } from '#proxy/redirect/ruleCounters.ts';
import { countsOf, outsideOf } from './outsideView.ts';

const lanes = {
  inbound: 'refuse',
  inboundExcept: [
    { network: '10.0.0.0/24', ports: [8080, 8081] },
    { network: '2001:db8::1', ports: [] },
  ],
  unmeshed: 'plain',
  unmeshedExcept: [{ network: '10.0.0.0/24', ports: [] }],
  udp: 'leave',
  udpExcept: [],
} as const;
const config = { lanes };
const fail = (): never => {
  throw new RangeError('the kernel does not say');
};

describe('outsideOf()', () => {
  it('says what is refused and what is excepted from that', () => {
    const captures = { allCounts: () => ({ ...NO_COUNTS, plainIn: 2 }) };
    expect(outsideOf({ config, captures }, { plainOut: 5 })).toEqual({
      inbound: 'refuse but for 10.0.0.0/24 port 8080, 8081 and 2001:db8::1',
      unmeshed: 'plain',
      udp: 'leave',
      plainOut: 5,
      counts: { ...NO_COUNTS, plainIn: 2 },
    });
  });
});

test('countsOf() knows none that cannot be read', () => {
  expect(countsOf({ counts: fail }, 'uid')).toBeUndefined();
});
