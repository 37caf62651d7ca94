// `tidelock status` for people: aligned columns, the verdict and its reason first, and nothing that
// a reader would have to look up in code.
import { counted } from '#agent/base/counted.ts';
import { oneLine, pairs, table, timeOfDay, type Row } from './columns.ts';
import { outsideLines } from './outsideText.ts';
import type { Status } from './status.ts';
import { bytes, duration } from './units.ts';

/** The whole status as lines of text. */
export function statusText(status: Status): string {
  return [
    ...nodeLines(status),
    ...epochLines(status),
    ...table(
      'Peers',
      ['node', 'address', 'verdict', 'lanes to it', 'clock', 'valid for'],
      status.peers.map(peerRow),
    ),
    ...laneLines(status),
    ...outsideLines(status),
    ...table(
      'Pods',
      ['pod', 'spiffe id', 'addresses', 'redirect'],
      status.pods.map((pod) => [
        `${pod.namespace}/${pod.name}`,
        pod.spiffeId,
        pod.ips.join(' '),
        redirectOf(pod),
      ]),
    ),
    ...serviceLines(status),
    ...probeLines(status),
    ...status.warnings.flatMap((warning, i) => [
      ...(i === 0 ? [''] : []),
      ...warningLines(warning),
    ]),
    ...table(
      'Events',
      ['at', 'level', 'code', 'text'],
      status.events
        .slice(-EVENTS_SHOWN)
        .map((event) => [timeOfDay(event.at), event.level, event.code, event.text]),
    ),
    '',
  ].join('\n');
}

/** One line for each problem of a list. */
const warningLines = (warning: string): string[] =>
  warning.split('\n').map((line, i) => `${i === 0 ? 'Warning  ' : '         '}${oneLine(line)}`);

function redirectOf({ error, captured, sourceProblem }: Status['pods'][number]): string {
  if (error !== undefined) return error;
  if (!captured) return 'off';
  return sourceProblem === undefined ? 'on' : 'on, clients not shown';
}

const serviceLines = ({ services }: Status): string[] =>
  table(
    'Services',
    ['service', 'addresses', 'port', 'affinity', 'endpoints'],
    services.flatMap(({ name, ips, affinity, ports }) =>
      ports.map(({ port, endpoints }) => [
        name,
        ips.join(' '),
        String(port),
        affinity,
        endpoints.slice(0, ENDPOINTS_SHOWN).join(' ') || 'none is ready',
      ]),
    ),
  );

const ENDPOINTS_SHOWN = 8;

function probeLines({ probes }: Status): string[] {
  const { state, reason, remedy, events, lost, gaps, unwatched, bypasses } = probes;
  const seen = Object.entries(events).map(([kind, n]) => `${n} ${kind}`);
  const text = reason ? `${state}: ${reason}` : `${state}; ${seen.join(', ')}, ${lost} lost`;
  return [
    '',
    ...pairs([
      ['Probes', text],
      ...(remedy ? [['Remedy', remedy] as const] : []),
      ...(unwatched.length > 0 ? [['Unwatched', unwatched.join(', ')] as const] : []),
    ]),
    ...table(
      'Seen nothing',
      ['from', 'to', 'reason'],
      gaps
        .slice(-EVENTS_SHOWN)
        .map(({ from, to, reason: why }) => [timeOfDay(from), to ? timeOfDay(to) : 'now', why]),
    ),
    ...table(
      'Past the redirect',
      ['pod', 'packets', 'untold', 'at', 'last'],
      bypasses.map(({ pod, packets, untold, last }) => {
        const { at, text: what } = last.at(-1) ?? { at: 0, text: 'untold' };
        return [pod, String(packets), String(untold), timeOfDay(at), what];
      }),
    ),
  ];
}

const EVENTS_SHOWN = 10;

const machineText = (host: NonNullable<Status['host']>): string =>
  `${host.system || 'unknown'}${host.virtual ? ' (virtual)' : ''}, ${host.cores} cores, ${bytes(host.memoryBytes)}, ${host.os}, kernel ${host.kernel}`;

/** Whether the node is ready, and what the canaries tell. */
function readyPairs({ readiness }: Status): (readonly [string, string])[] {
  if (readiness === undefined) return [];
  const { ready, reasons, canary } = readiness;
  const { ageMs, peer, tookMs = 0, silent } = canary;
  const from = peer === undefined ? 'the workers answered' : `back from ${peer} in ${tookMs} ms`;
  const mute = silent.map((each) => `; not from ${each.peer}: ${each.reason}`).join('');
  return [
    ['Ready', ready ? 'yes' : `NO: ${reasons.join('; ')}`],
    ['Canary', `${ageMs === undefined ? 'none yet' : `${from}, ${duration(ageMs)} ago`}${mute}`],
  ];
}

function nodeLines(status: Status): string[] {
  const { agent, host, node, dataPlane } = status;
  const notPassed = node.checks.filter((check) => check.result !== 'pass');
  return [
    ...pairs([
      ['Node', `${node.name}  (${node.domain}, cluster ${node.cluster})`],
      ['Verdict', `${node.verdict} (${node.level})${node.reason ? `: ${node.reason}` : ''}`],
      ...readyPairs(status),
      ['Statement', `${node.sid ?? 'none'}${node.renewedAt ? `, renewed ${node.renewedAt}` : ''}`],
      ['Agent', `${agent.version}, pid ${agent.pid}, up ${duration(agent.uptimeMs)}`],
      ...(host ? [['Machine', machineText(host)] as const] : []),
      [
        'Data plane',
        `${dataPlane.state}, pid ${dataPlane.pid ?? '-'}, uid ${dataPlane.uid}, ${workersText(dataPlane)}, ${dataPlane.restarts} restarts`,
      ],
      ...useOf(status),
    ]),
    ...table(
      'Checks that did not pass',
      ['check', 'result', 'why'],
      notPassed.map((check) => [check.name, check.result, check.text]),
    ),
  ];
}

function workersText({ workers, working, spares, lanesByWorker }: Status['dataPlane']): string {
  const ended = working < workers ? `, ${workers - working} ENDED` : '';
  return `${workers} workers and ${counted(spares, 'spare')}${ended}, ${lanesByWorker.join(' + ')} connections`;
}

/** What both processes use. */
const useOf = ({ processes }: Status): (readonly [string, string])[] =>
  (['data', 'control'] as const).flatMap((name) => {
    const use = processes?.[name];
    if (use === undefined) return [];
    const { openFds, maxFds, residentBytes } = use;
    const text = `${openFds} of ${maxFds} descriptors, ${bytes(residentBytes)}`;
    return [[name === 'data' ? 'Its use' : 'Agent’s use', text] as const];
  });

function epochLines({ epochs, asymmetric }: Status): string[] {
  const bus = epochs.busConnected ? 'connected' : 'DISCONNECTED, ticking on';
  const age = epochs.lastRecordAgeMs;
  return [
    '',
    ...pairs([
      [
        'Epoch',
        `${epochs.epoch}, generation ${epochs.generation}, term ${epochs.term}, slot ${epochs.slot} of ${epochs.periodMs / 1000} s`,
      ],
      ['Conductor', `${epochs.conductor ?? 'none'}${epochs.isConductor ? ' (this node)' : ''}`],
      ['Bus', `${bus}${age === undefined ? '' : `, last record ${duration(age)} ago`}`],
      [
        'Seen',
        `${epochs.slotsSeen} slots, ${epochs.chainsSeen} chains, ${epochs.algorithmsSeen.join(' ') || 'no algorithm yet'}`,
      ],
      [
        'Asymmetric',
        `${asymmetric.total} operations: ${asymmetric.statements} for statements, ${asymmetric.tokens} for tokens`,
      ],
    ]),
    ...table(
      'Chains',
      ['id', 'generation', 'epoch', 'from slot', 'algorithm', 'confirmed by'],
      epochs.chains.map((chain) => [
        chain.id.slice(0, 12),
        String(chain.generation),
        String(chain.epoch),
        String(chain.atSlot),
        chain.algorithm,
        chain.confirmedBy.join(' ') || '-',
      ]),
    ),
  ];
}

function peerRow(peer: Status['peers'][number]): Row {
  const lanes = peer.refused ?? (peer.sendChain ? `open, ${peer.sendChain.slice(0, 12)}` : '-');
  return [
    peer.node,
    peer.address,
    `${peer.verdict}${peer.reason ? `: ${peer.reason}` : ''}`,
    lanes,
    peer.clockOffsetMs === undefined ? '-' : `${signed(peer.clockOffsetMs)} ms`,
    peer.expiresInMs === undefined ? '-' : duration(peer.expiresInMs),
  ];
}

function laneLines({ lanes }: Status): string[] {
  const refused = Object.entries(lanes.refused).filter(([, n]) => n > 0);
  return [
    '',
    ...pairs([
      [
        'Lanes',
        `${lanes.active} active; opened ${lanes.openedOut} out, ${lanes.openedIn} in, ${lanes.sameNode} on this node`,
      ],
      ['Bytes', `${bytes(lanes.bytesOut)} out, ${bytes(lanes.bytesIn)} in`],
      ['Key updates', String(lanes.keyUpdates)],
      ['Refused', refused.map(([reason, n]) => `${reason} ${n}`).join(', ') || 'none'],
      ['Strangers', `${lanes.strangers}, replays ${lanes.replayed}`],
      ['Limits', limitsText(lanes)],
      [
        'Settings',
        `sourceAddress ${lanes.sourceAddress}, onStop ${lanes.onStop}, halfClosedSeconds ${lanes.halfClosedSeconds}`,
      ],
    ]),
  ];
}

const limitsText = ({ limits }: Status['lanes']): string =>
  `a pod ${limits.perPodLanes} lanes, ${limits.perPodOpeningsPerSecond} openings a second; a peer ${limits.perPeerLanes}, ${limits.perPeerOpeningsPerSecond}`;

const signed = (n: number): string => (n > 0 ? `+${n}` : String(n));
