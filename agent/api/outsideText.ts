// The part of `tidelock status` about what comes and goes outside of lanes, for people.
import { pairs, table } from './columns.ts';
import type { Status } from './status.ts';

/** Settings with what they let pass, then the pods of which something is to be told. */
export function outsideLines({ outside, pods, lanes }: Status): string[] {
  const { inbound, unmeshed, udp, plainOut, counts } = outside;
  return [
    '',
    ...pairs([
      [
        'Plain in',
        counts
          ? `${inbound}; ${counts.plainIn} connections let in, ${counts.refusedIn} packets refused`
          : inbound,
      ],
      [
        'Plain out',
        `${unmeshed}; ${plainOut} connections let out, ${lanes.refused['no-agent'] ?? 0} refused`,
      ],
      [
        'UDP',
        counts
          ? `${udp}; ${counts.udpOut} packets out, ${counts.udpIn} in, ${counts.udpRefused} refused`
          : udp,
      ],
    ]),
    ...table(
      'Outside of lanes',
      ['pod', 'let in', 'refused', 'udp out', 'udp in', 'udp refused', 'evaded'],
      pods.flatMap(({ namespace, name, outside: of }) =>
        of && Object.values(of).some((n) => n > 0)
          ? [
              [
                `${namespace}/${name}`,
                ...[of.plainIn, of.refusedIn, of.udpOut, of.udpIn, of.udpRefused].map(String),
                String(of.droppedOut),
              ],
            ]
          : [],
      ),
    ),
  ];
}
