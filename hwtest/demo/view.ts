// The live view: a screenful redrawn in place on a terminal, one plain line now and then elsewhere.
// It writes to standard error only, so that standard output stays for the result.
import type { Status } from '#agent/api/status.ts';
import { bytes } from '#agent/api/units.ts';
import type { Traffic } from './load.ts';

export interface Screen {
  write(text: string): void;
  /** Columns of a terminal as it is now, 0 when it does not say; undefined when it is none. */
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
/** Of a terminal that does not say how wide it is. */
const USUAL_COLUMNS = 80;

export interface View {
  draw(frame: Frame): void;
}

export function createView(screen: Screen): View {
  return screen.columns === undefined ? plainView(screen) : redrawnView(screen);
}

function redrawnView(screen: Screen): View {
  let drawn = { lines: 0, columns: 0 };
  return {
    draw: (frame) => {
      const columns = screen.columns || USUAL_COLUMNS;
      const lines = frameLines(frame, columns - 1);
      // Each line clears its own rest, so that nothing flickers.
      const text = lines.map((line) => `${line}\x1b[K\n`).join('');
      screen.write(`${backOver(drawn, columns)}${text}\x1b[J`);
      drawn = { lines: lines.length, columns };
    },
  };
}

/** Moves to where the last frame began. After a change of width its lines may be broken: all goes then. */
function backOver(drawn: { lines: number; columns: number }, columns: number): string {
  if (drawn.lines === 0) return '';
  return drawn.columns === columns ? `\x1b[${drawn.lines}A` : '\x1b[H\x1b[2J';
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

/** Lines of at most `width`: figures are wrapped, events and failures end early. */
function frameLines(frame: Frame, width: number): string[] {
  const [head = '', ...rows] = table([
    ['node', 'verdict', 'slot', 'lanes', 'opened', 'refused', 'bytes'],
    ...frame.nodes.map(nodeRow),
  ]);
  const figures = [
    '',
    `tidelock demo, ${clock(frame.elapsedMs)}; * conducts; Ctrl-C ends it and removes everything`,
    '',
    head,
    ...rows.flatMap((row, i) => [
      row,
      ...chainLine(frame.nodes[i]?.status),
      ...probesLine(frame.nodes[i]?.status),
    ]),
    '',
    trafficLine(frame),
  ];
  return [
    ...figures.flatMap((line) => wrapped(line, width)),
    ...frame.traffic.failed.slice(-1).map((line) => shortened(`last failure: ${line}`, width)),
    '',
    ...eventLines(frame, width),
  ];
}

function nodeRow({ name, status }: Frame['nodes'][number]): string[] {
  if (status === undefined) return [name, 'silent', '', '', '', '', ''];
  const { node, epochs, lanes } = status;
  return [
    `${name}${epochs.isConductor ? ' *' : ''}`,
    node.verdict,
    String(epochs.slot),
    String(lanes.active),
    String(lanes.openedOut + lanes.sameNode),
    String(Object.values(lanes.refused).reduce((sum, n) => sum + n, 0)),
    bytes(lanes.bytesOut + lanes.bytesIn),
  ];
}

/** The chain that new lanes use: id, generation.epoch, algorithm; no line before there is one. */
function chainLine(status: Status | undefined): string[] {
  const used = status?.peers.find((peer) => peer.sendChain !== undefined)?.sendChain;
  const chain = status?.epochs.chains.find((each) => each.id === used);
  if (chain === undefined) return [];
  const { id, generation, epoch, algorithm } = chain;
  return [`  chain ${id.slice(0, 8)} ${generation}.${epoch}  ${algorithm}`];
}

/** What the kernel shows, or why nothing is seen; the last bypass instead, where there is one. */
function probesLine(status: Status | undefined): string[] {
  if (status === undefined) return [];
  const { state, reason, events, lost, bypasses } = status.probes;
  const last = bypasses.at(-1)?.last.at(-1);
  if (last) return [`  BYPASS ${plain(last.text)}`];
  if (state !== 'running') return [`  probes ${state}${reason ? `: ${plain(reason)}` : ''}`];
  const seen = Object.entries(events).map(([kind, n]) => `${n} ${kind}`);
  return [`  probes ${seen.join(', ')}, ${lost} lost`];
}

function trafficLine({ traffic, elapsedMs }: Frame): string {
  const perSecond = Math.round(traffic.requests / Math.max(1, elapsedMs / 1_000));
  const p = (q: number): string => traffic.latencies.percentile(q).toFixed(1);
  return `${traffic.requests} requests (${perSecond}/s), ${traffic.failures} failed, p50 ${p(0.5)} ms, p99 ${p(0.99)} ms, ${bytes(traffic.bytes)} received`;
}

/** The newest events of all nodes by age; one line for all that say the same, with their number. */
function eventLines({ nodes }: Frame, width: number): string[] {
  const events = nodes
    .flatMap(({ name, status }) =>
      (status?.events ?? []).map(({ at, text, code }) => ({
        at,
        said: `${name}  ${plain(text || code)}`,
      })),
    )
    .sort((a, b) => a.at - b.at);
  const folded = new Map<string, { at: number; times: number }>();
  for (const { at, said } of events) {
    const times = (folded.get(said)?.times ?? 0) + 1;
    folded.delete(said); // so that it moves to the end, where its newest belongs
    folded.set(said, { at, times });
  }
  return [...folded].slice(-EVENTS_SHOWN).map(([said, { at, times }]) => {
    const time = new Date(at).toISOString().slice(11, 19);
    const count = times > 1 ? ` x${times}` : '';
    return `${shortened(`${time}  ${said}`, width - count.length)}${count}`;
  });
}

/** Without control characters, and without the trust domain, which is the same in every name. */
const plain = (text: string): string =>
  text.replace(/\p{Control}/gu, ' ').replace(/spiffe:\/\/[^/\s]+\//g, '');

/** Lines of at most `width`, broken between words, so that no number is cut. */
function wrapped(line: string, width: number): string[] {
  if (line.length <= width) return [line];
  const end = wordEnd(line, width);
  return [line.slice(0, end).trimEnd(), ...wrapped(line.slice(end).trimStart(), width)];
}

/** The words of a line that fit, and a sign that there were more. */
const shortened = (line: string, width: number): string =>
  line.length <= width ? line : `${line.slice(0, wordEnd(line, width - 2)).trimEnd()} …`;

/** Where the last word that fits ends; within the word when not even one does. */
function wordEnd(line: string, width: number): number {
  const end = line.lastIndexOf(' ', width);
  return end > 0 ? end : Math.max(width, 1);
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
