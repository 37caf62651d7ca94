// The live view: a screenful redrawn in place on a terminal, one plain line now and then elsewhere.
// It writes to standard error only, so that standard output stays for the result.
import type { Status } from '#agent/api/status.ts';
import { bytes } from '#agent/api/statusText.ts';
import type { Traffic } from './load.ts';

export interface Screen {
  write(text: string): void;
  /** Columns of a terminal; undefined when it is none. */
  readonly columns: number | undefined;
}

export interface Frame {
  readonly elapsedMs: number;
  /** In the order of the nodes; undefined where an agent does not answer. */
  readonly nodes: readonly { readonly name: string; readonly status: Status | undefined }[];
  readonly traffic: Traffic;
}

const EVENTS_SHOWN = 8;
const PLAIN_EVERY_MS = 10_000;

export interface View {
  draw(frame: Frame): void;
}

export function createView(screen: Screen): View {
  return screen.columns === undefined ? plainView(screen) : redrawnView(screen, screen.columns);
}

function redrawnView(screen: Screen, columns: number): View {
  let drawn = 0;
  return {
    draw: (frame) => {
      const lines = frameLines(frame).map((line) => line.slice(0, columns - 1));
      const back = drawn > 0 ? `\x1b[${drawn}A` : '';
      // Each line clears its own rest, so that nothing flickers.
      screen.write(`${back}${lines.map((line) => `${line}\x1b[K\n`).join('')}\x1b[J`);
      drawn = lines.length;
    },
  };
}

function plainView(screen: Screen): View {
  let nextMs = 0;
  return {
    draw: (frame) => {
      if (frame.elapsedMs < nextMs) return;
      nextMs = frame.elapsedMs + PLAIN_EVERY_MS;
      const nodes = frame.nodes.map(
        ({ name, status }) =>
          `${name} ${status?.node.verdict ?? 'silent'}, slot ${status?.epochs.slot ?? '-'}, ${status?.lanes.active ?? 0} lanes`,
      );
      screen.write(`${clock(frame.elapsedMs)}  ${nodes.join('; ')}; ${trafficLine(frame)}\n`);
    },
  };
}

function frameLines(frame: Frame): string[] {
  return [
    '',
    `tidelock demo, ${clock(frame.elapsedMs)}; * conducts; Ctrl-C ends it and removes everything`,
    '',
    ...table([
      ['node', 'verdict', 'slot', 'chain', 'algorithm', 'lanes', 'opened', 'refused', 'bytes'],
      ...frame.nodes.map(nodeRow),
    ]),
    '',
    trafficLine(frame),
    ...frame.traffic.failed.slice(-1).map((line) => `last failure: ${line}`),
    '',
    ...eventLines(frame),
  ];
}

function nodeRow({ name, status }: Frame['nodes'][number]): string[] {
  if (status === undefined) return [name, 'silent', '', '', '', '', '', '', ''];
  const { node, epochs, lanes } = status;
  const used = status.peers.find((peer) => peer.sendChain !== undefined)?.sendChain;
  const chain = epochs.chains.find((each) => each.id === used);
  return [
    `${name}${epochs.isConductor ? ' *' : ''}`,
    node.verdict,
    String(epochs.slot),
    chain === undefined ? '-' : `${chain.id.slice(0, 8)} ${chain.generation}.${chain.epoch}`,
    chain?.algorithm ?? '-',
    String(lanes.active),
    String(lanes.openedOut + lanes.sameNode),
    String(Object.values(lanes.refused).reduce((sum, n) => sum + n, 0)),
    bytes(lanes.bytesOut + lanes.bytesIn),
  ];
}

function trafficLine({ traffic, elapsedMs }: Frame): string {
  const perSecond = Math.round(traffic.requests / Math.max(1, elapsedMs / 1_000));
  const p = (q: number): string => traffic.latencies.percentile(q).toFixed(1);
  return `${traffic.requests} requests (${perSecond}/s), ${traffic.failures} failed, p50 ${p(0.5)} ms, p99 ${p(0.99)} ms, ${bytes(traffic.bytes)} received`;
}

/** The newest events of all nodes, in the order in which they happened. */
function eventLines({ nodes }: Frame): string[] {
  return nodes
    .flatMap(({ name, status }) => (status?.events ?? []).map((event) => ({ ...event, name })))
    .sort((a, b) => a.at - b.at)
    .slice(-EVENTS_SHOWN)
    .map((event) => {
      const time = new Date(event.at).toISOString().slice(11, 19);
      return `${time}  ${event.name}  ${event.text || event.code}`.replace(/\p{Control}/gu, ' ');
    });
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((r) => r[i]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** Minutes and seconds. */
function clock(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  return [Math.floor(seconds / 60), seconds % 60].map((n) => String(n).padStart(2, '0')).join(':');
}
