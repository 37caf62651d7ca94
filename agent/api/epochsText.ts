// `tidelock epochs` for people: how the plane stands first, then who conducts, the chains and who holds
// them, the peers, and what happened last.
import { pairs, table, timeOfDay, type Row } from './columns.ts';
import type { Epochs } from './epochs.ts';
import { duration } from './units.ts';

/** The epoch plane as lines of text. */
export function epochsText(epochs: Epochs): string {
  const { conductor, isConductor, term, generation, epoch, slot, periodMs, records } = epochs;
  const { seen } = epochs;
  return [
    ...pairs([
      ['Epochs', `${epochs.state}: ${epochs.text}`],
      ['Conductor', `${conductor ?? 'none'}${isConductor ? ' (this node)' : ''}, term ${term}`],
      ['Epoch', `${epoch} of generation ${generation}`],
      ['Slot', `${slot} of ${periodMs / 1000} s, next in ${duration(epochs.nextSlotInMs)}`],
      [
        'Records',
        `${records.accepted} accepted, ${records.refused} refused${records.ageMs === undefined ? '' : `, last ${duration(records.ageMs)} ago`}`,
      ],
      ['Bus', busText(epochs.bus)],
      ['Lease', leaseText(epochs.lease)],
      ['Outage', outageText(epochs.staleness)],
      ['Heals', `what leaked is of no use ${duration(epochs.healsWithinMs)} later at the latest`],
      [
        'Seen',
        `${seen.slots} slots, ${seen.chains} chains, ${seen.algorithms.join(' ') || 'no algorithm yet'}`,
      ],
    ]),
    ...table(
      'Chains',
      [
        'id',
        'generation',
        'epoch',
        'from slot',
        'state',
        'algorithm',
        'confirmed by',
        'not yet by',
      ],
      epochs.chains.map(chainRow),
    ),
    ...(epochs.chainsLeftOut > 0 ? [`  and ${epochs.chainsLeftOut} older ones`] : []),
    ...table(
      'Peers',
      ['node', 'verdict', 'lanes to it use', 'presence', 'newest epoch', 'clock'],
      epochs.peers.map(peerRow),
    ),
    ...table(
      'Events',
      ['at', 'level', 'code', 'text'],
      epochs.events.map(({ at, level, code, text }) => [timeOfDay(at), level, code, text]),
    ),
    '',
  ].join('\n');
}

const busText = ({ connected, server, problem }: Epochs['bus']): string =>
  connected
    ? `connected${server ? `, ${server}` : ''}`
    : `DISCONNECTED${problem ? `: ${problem}` : ''}`;

function leaseText({ kept, holder, problem }: Epochs['lease']): string {
  const where = kept === 'bus' ? 'on the bus' : 'in Kubernetes';
  if (problem !== undefined) return `${where}, OUT OF REACH: ${problem}`;
  return `${where}, ${holder === undefined ? 'not held as far as known here' : `held by ${holder}`}`;
}

function outageText({ maxMs, inMs, onStale }: Epochs['staleness']): string {
  const then = onStale === 'closed' ? 'then lanes are cut' : 'then no lane is opened';
  if (inMs === undefined) return `none; one may last ${duration(maxMs)}, ${then}`;
  return inMs === 0 ? `longer than ${duration(maxMs)}` : `${duration(inMs)} are left, ${then}`;
}

const SHORT_ID = 12;

function chainRow(chain: Epochs['chains'][number]): Row {
  const { id, generation, epoch, begins, atSlot, state, inEffectInMs, algorithm } = chain;
  return [
    id.slice(0, SHORT_ID),
    `${generation}${begins === 'epoch' ? '' : ` (${begins})`}`,
    String(epoch),
    String(atSlot),
    inEffectInMs === undefined ? state : `in ${duration(inEffectInMs)}`,
    algorithm,
    chain.confirmedBy.join(' ') || '-',
    chain.awaiting.join(' ') || '-',
  ];
}

function peerRow({
  node,
  verdict,
  sendChain,
  behind,
  refused,
  ...peer
}: Epochs['peers'][number]): Row {
  const lag = behind ? ` (${behind} behind)` : '';
  return [
    node,
    verdict,
    refused ?? (sendChain ? `${sendChain.slice(0, SHORT_ID)}${lag}` : '-'),
    peer.presenceAgeMs === undefined ? 'never heard' : `${duration(peer.presenceAgeMs)} ago`,
    shownText(peer),
    peer.clockOffsetMs === undefined ? '-' : `${peer.clockOffsetMs} ms`,
  ];
}

const shownText = ({ epochsBehind, lagMs }: Partial<Epochs['peers'][number]>): string =>
  lagMs === undefined || epochsBehind === undefined
    ? '-'
    : `${epochsBehind === 0 ? 'shown' : `${epochsBehind} missing, last`} after ${duration(lagMs)}`;
