// What `status` says of all that comes and goes outside of lanes: the settings as people read them, and what
// the pods' rules have counted. It reads and never changes anything.
import type { Status } from '#agent/api/status.ts';
import type { CounterTotals } from '#proxy/counters.ts';
import { rangeText, type Range } from '#proxy/range.ts';
import type { RuleCounts } from '#proxy/redirect/ruleCounters.ts';
import type { Plaintext } from '#proxy/redirect/ruleset.ts';
import type { Captures } from './captures.ts';
import type { Config } from './config.ts';

type OutsideSettings = Plaintext & Pick<Config['lanes'], 'unmeshed' | 'unmeshedExcept'>;

interface OutsideSources {
  readonly config: { readonly lanes: OutsideSettings };
  readonly captures: Pick<Captures, 'allCounts'>;
}

export function outsideOf(
  { config: { lanes }, captures }: OutsideSources,
  { plainOut }: Pick<CounterTotals, 'plainOut'>,
): Status['outside'] {
  return {
    inbound: settingText(lanes.inbound, lanes.inboundExcept),
    unmeshed: settingText(lanes.unmeshed, lanes.unmeshedExcept),
    udp: settingText(lanes.udp, lanes.udpExcept),
    plainOut,
    counts: captures.allCounts(),
  };
}

/** Of one pod; undefined: not captured, or its rules cannot be read, of which `why` says more. */
export function countsOf(captures: Pick<Captures, 'counts'>, uid: string): RuleCounts | undefined {
  try {
    return captures.counts(uid);
  } catch {
    return undefined;
  }
}

/** Exceptions are from a refusal: without one they say nothing. */
const settingText = (setting: string, except: readonly Range[]): string =>
  setting !== 'refuse' || except.length === 0
    ? setting
    : `refuse but for ${except.map(rangeText).join(' and ')}`;
