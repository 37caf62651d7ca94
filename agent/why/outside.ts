// What passes a pod outside of lanes: plaintext from outside, and UDP. The sentence about a pod, and the
// link about one source that has no agent.
import { duration } from '#agent/api/units.ts';
import { counted } from '#agent/base/counted.ts';
import { Ranges, rangeText, type Range } from '#proxy/range.ts';
import type { RefusedSource } from '#proxy/redirect/nftables.ts';
import type { OutsideFacts, WhyFacts } from './facts.ts';
import { broken, holds, type Link } from './links.ts';

/** About a pod as a whole: never broken, since a refusal may be what was meant. */
export const outsideLink = ({ outside }: WhyFacts): Link =>
  holds('outside', `${inboundText(outside)}; ${udpText(outside)}`);

/** About plaintext from `address`, which has no agent, to a pod of this node. */
export function plaintextLink({ outside }: WhyFacts, address: string, port?: number): Link {
  const { inbound, inboundExcept } = outside.settings;
  if (inbound === 'plain') {
    return holds('outside', `plaintext from ${address} is let in (lanes.inbound: plain)`);
  }
  const by = inboundExcept.find((range) => covers(range, address, port));
  if (by) {
    return holds(
      'outside',
      `plaintext from ${address} is let in by lanes.inboundExcept, ${rangeText(by)}`,
    );
  }
  const seen = outside.refused.filter(
    (each) => each.address === address && (port === undefined || each.port === port),
  );
  const attempts = seen.length === 0 ? 'none came lately' : seen.map(attemptText).join(', ');
  const where = port === undefined ? '' : ` to port ${port}`;
  return broken(
    'outside',
    `plaintext from ${address}${where} is reset (lanes.inbound: refuse); ${attempts}`,
    'A health check: name its source and port in lanes.inboundExcept. A program: run an agent on its node and list it in the inventory there.',
  );
}

/** Whether `range` has the address on this port; without one, on any. */
export const covers = (range: Range, address: string, port: number | undefined): boolean =>
  new Ranges([port === undefined ? { ...range, ports: [] } : range]).find({
    address,
    port: port ?? 0,
  }) !== undefined;

function inboundText({ settings, counts, refused }: OutsideFacts): string {
  const { inbound, inboundExcept } = settings;
  const [last] = refused;
  const letIn = counts ? `, ${counted(counts.plainIn, 'connection')} let in` : '';
  if (inbound === 'plain') return `plaintext from outside is let in${letIn}`;
  const packets = counts ? `, ${counted(counts.refusedIn, 'packet')} refused` : '';
  const latest = last ? `, the last one ${attemptText(last)}` : '';
  return `plaintext from outside is refused${exceptText(inboundExcept)}${packets}${latest}${letIn}`;
}

function udpText({ settings: { udp, udpExcept }, counts }: OutsideFacts): string {
  const passed = counts ? `, ${counted(counts.udpOut, 'packet')} out and ${counts.udpIn} in` : '';
  if (udp === 'leave') return `UDP is left alone${passed}`;
  const refused = counts ? `, ${counted(counts.udpRefused, 'packet')} refused` : '';
  return `UDP is refused${exceptText(udpExcept)}${refused}${passed}`;
}

/** ` but for 10.0.0.0/8 port 53`, or nothing. */
const exceptText = (ranges: readonly Range[]): string =>
  ranges.length === 0 ? '' : ` but for ${ranges.map(rangeText).join(' and ')}`;

const attemptText = ({ address, port, count, agoMs }: RefusedSource): string =>
  `from ${address} to port ${port} ${duration(agoMs)} ago (${count} in ten minutes)`;
