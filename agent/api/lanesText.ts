// `tidelock lanes` for people: one live connection a line, then totals and what was refused.
import { pairs, table, type Row } from './columns.ts';
import type { Lanes } from './lanes.ts';
import { bytes, duration } from './units.ts';

/** The live connections as lines of text. */
export function lanesText(answer: Lanes): string {
  const { lanes, omitted, silentWorkers, draining, note, filter, totals, refused, node } = answer;
  const wanted = Object.entries(filter).map(([what, name]) => `${what} ${name}`);
  const of = wanted.length > 0 ? ` of ${wanted.join(' and ')}` : '';
  const reasons = Object.entries(refused).map(([reason, count]) => `${reason} ${count}`);
  return [
    ...pairs([
      ['Lanes', `${lanes.length} live${of} on ${node}`],
      ...(note === undefined ? [] : [['Note', note] as const]),
      ...(omitted > 0
        ? [['Left out', `${omitted} more live connections were not looked at`] as const]
        : []),
      ...(silentWorkers > 0
        ? [
            [
              'Unknown',
              `${silentWorkers} ${silentWorkers === 1 ? 'worker' : 'workers'} did not answer, theirs are missing`,
            ] as const,
          ]
        : []),
      ...(draining > 0
        ? [['Draining', `${draining} of another build, whose connections are not listed`] as const]
        : []),
    ]),
    ...table(
      'Live',
      [
        'way',
        'from',
        'client',
        'to',
        'destination',
        'peer',
        'rule',
        'age',
        'out',
        'in',
        'chain',
        'updates',
      ],
      lanes.map(row),
    ),
    '',
    ...pairs([
      [
        'In all',
        `opened ${totals.openedOut} out, ${totals.openedIn} in, ${totals.sameNode} on this node, ${totals.plainOut} without an agent`,
      ],
      ['Bytes', `${bytes(totals.bytesOut)} out, ${bytes(totals.bytesIn)} in`],
      ['Key updates', String(totals.keyUpdates)],
      ['Refused', reasons.join(', ') || 'none'],
    ]),
    '',
  ].join('\n');
}

function row(lane: Lanes['lanes'][number]): Row {
  const { direction, pod, client, destination, endpoint, peer, rule, chain, aead } = lane;
  const near = pod ?? '-';
  return [
    direction,
    direction === 'in' ? account(lane.from) : near,
    client ?? '-',
    direction === 'in' ? near : account(lane.to),
    [destination ?? '-', ...(endpoint === undefined ? [] : [endpoint])].join(' > '),
    peer ?? '-',
    rule,
    duration(lane.ageMs),
    bytes(lane.bytesOut),
    bytes(lane.bytesIn),
    chain === undefined ? '-' : `${chain.slice(0, 12)} ${aead ?? ''}`.trimEnd(),
    String(lane.keyUpdates),
  ];
}

/** A SPIFFE ID without its trust domain, which all of a cluster share. */
const account = (spiffeId: string | undefined): string =>
  spiffeId?.replace(/^spiffe:\/\/[^/]+\//, '') ?? '-';
