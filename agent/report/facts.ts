// What a node says of itself in its report besides evidence: taken from its status, without anything
// that an outsider has no business to know (peers, pods, addresses).
import type { Status } from '#agent/api/status.ts';
import type { NodeFacts } from '#attest/report.ts';

/** Facts by group, of a status. */
export function factsOf({
  agent,
  host,
  epochs,
}: Pick<Status, 'agent' | 'host' | 'epochs'>): NodeFacts {
  const { conductor, term, generation, epoch, slot, periodMs, busConnected } = epochs;
  const [chain] = epochs.chains;
  return {
    agent: { version: agent.version, startedAt: agent.startedAt },
    ...(host ? { host: shortened(host) } : {}),
    epochs: {
      ...(conductor ? { conductor } : {}),
      ...(chain ? { chain: chain.id, algorithm: chain.algorithm } : {}),
      term,
      generation,
      epoch,
      slot,
      periodMs,
      busConnected,
    },
  };
}

/** A report carries no longer fact; firmware tables hold whatever their maker wrote. */
const MAX_FACT_CHARS = 200;

const shortened = (host: NonNullable<Status['host']>): NodeFacts[string] =>
  Object.fromEntries(
    Object.entries(host).map(([name, value]) => [
      name,
      typeof value === 'string' ? value.slice(0, MAX_FACT_CHARS).toWellFormed() : value,
    ]),
  );
