// What a demo proved: the DemoResult document, made of the agents' own status, the clients' counts and
// the captures. It measures nothing itself.
import type { Status } from '#agent/api/status.ts';
import type { CaptureSearch } from '#hwtest/rig/pcap.ts';
import type { Traffic } from './load.ts';

export interface DemoResult {
  readonly apiVersion: 'tidelock/v1';
  readonly kind: 'DemoResult';
  readonly ok: boolean;
  readonly nodes: readonly {
    readonly name: string;
    readonly verdict: string;
    /** Quoted values, in the order of their index. */
    readonly pcrs: readonly { readonly pcr: number; readonly value: string }[];
    /** Path of the node's status document. */
    readonly report: string;
  }[];
  readonly epochs: {
    readonly periodMs: number;
    readonly slots: number;
    readonly chains: number;
    readonly algorithms: readonly string[];
  };
  readonly traffic: {
    readonly requests: number;
    readonly failures: number;
    readonly bytes: number;
    /** Connections that the policy forbids and that got an answer all the same. */
    readonly breaches: number;
    readonly p50Ms: number;
    readonly p99Ms: number;
  };
  readonly lanes: { readonly opened: number; readonly refused: number };
  readonly asymmetric: {
    readonly total: number;
    readonly statements: number;
    readonly tokens: number;
  };
  readonly wire: {
    readonly packets: number;
    readonly dropped: number;
    readonly plaintextHits: number;
    readonly controlHits: number;
  };
  readonly bus: { readonly server: string };
  readonly cleanup: { readonly leftovers: number };
}

export interface Observed {
  readonly nodes: readonly { readonly status: Status; readonly report: string }[];
  readonly traffic: Traffic;
  readonly control: CaptureSearch;
  readonly wire: CaptureSearch & { readonly dropped: number };
  readonly busServer: string;
  readonly leftovers: number;
}

/** The document; `ok` only if nothing failed, nothing leaked, every node is affirming, all is removed. */
export function demoResult(observed: Observed): DemoResult {
  const { nodes, traffic, control, wire } = observed;
  const statuses = nodes.map(({ status }) => status);
  const most = (of: (status: Status) => number): number => Math.max(...statuses.map(of));
  const sum = (of: (status: Status) => number): number =>
    statuses.reduce((total, status) => total + of(status), 0);
  return {
    apiVersion: 'tidelock/v1',
    kind: 'DemoResult',
    ok:
      statuses.every(({ node }) => node.verdict === 'affirming') &&
      traffic.failures === 0 &&
      traffic.breaches === 0 &&
      wire.hits === 0 &&
      wire.dropped === 0 &&
      control.hits > 0 &&
      observed.leftovers === 0,
    nodes: nodes.map(({ status: { node }, report }) => ({
      name: node.name,
      verdict: node.verdict,
      pcrs: Object.entries(node.pcrs)
        .map(([pcr, value]) => ({ pcr: Number(pcr), value }))
        .sort((a, b) => a.pcr - b.pcr),
      report,
    })),
    epochs: {
      periodMs: most(({ epochs }) => epochs.periodMs),
      slots: most(({ epochs }) => epochs.slotsSeen),
      chains: most(({ epochs }) => epochs.chainsSeen),
      algorithms: [...new Set(statuses.flatMap(({ epochs }) => epochs.algorithmsSeen))].sort(),
    },
    traffic: {
      requests: traffic.requests,
      failures: traffic.failures,
      bytes: traffic.bytes,
      breaches: traffic.breaches,
      p50Ms: rounded(traffic.latencies.percentile(0.5)),
      p99Ms: rounded(traffic.latencies.percentile(0.99)),
    },
    lanes: {
      opened: sum(({ lanes }) => lanes.openedOut + lanes.sameNode),
      refused: sum(({ lanes }) => Object.values(lanes.refused).reduce((a, n) => a + n, 0)),
    },
    asymmetric: {
      total: sum(({ asymmetric }) => asymmetric.total),
      statements: sum(({ asymmetric }) => asymmetric.statements),
      tokens: sum(({ asymmetric }) => asymmetric.tokens),
    },
    wire: {
      packets: wire.packets,
      dropped: wire.dropped,
      plaintextHits: wire.hits,
      controlHits: control.hits,
    },
    bus: { server: observed.busServer },
    cleanup: { leftovers: observed.leftovers },
  };
}

const rounded = (ms: number): number => Math.round(ms * 100) / 100;

/** The same for people: one line a claim, the figure that carries it behind. */
export function resultText(result: DemoResult): string {
  const { traffic, epochs, lanes, wire, asymmetric } = result;
  return [
    result.ok ? 'Everything held.' : 'NOT everything held; look at the lines marked with !',
    ...result.nodes.map(({ name, verdict, report }) =>
      line(verdict === 'affirming', name, `${verdict}; ${report}`),
    ),
    line(
      traffic.failures === 0 && traffic.breaches === 0,
      'traffic',
      `${traffic.requests} requests, ${traffic.failures} failed, ${traffic.breaches} forbidden ones answered, p50 ${traffic.p50Ms} ms, p99 ${traffic.p99Ms} ms`,
    ),
    line(
      wire.plaintextHits === 0 && wire.dropped === 0,
      'wire',
      `${wire.packets} packets between the nodes, ${wire.dropped} missed; canaries found: ${wire.plaintextHits}`,
    ),
    line(wire.controlHits > 0, 'control', `found ${wire.controlHits} times without the agents`),
    line(
      true,
      'epochs',
      `${epochs.slots} slots of ${epochs.periodMs / 1_000} s, ${epochs.chains} chains, ${epochs.algorithms.length} algorithms`,
    ),
    line(true, 'lanes', `${lanes.opened} opened, ${lanes.refused} refused`),
    line(
      true,
      'asymmetric',
      `${asymmetric.total} operations: ${asymmetric.statements} for statements, ${asymmetric.tokens} for tokens`,
    ),
    line(result.cleanup.leftovers === 0, 'left over', String(result.cleanup.leftovers)),
    '',
  ].join('\n');
}

const line = (holds: boolean, label: string, text: string): string =>
  `${holds ? ' ' : '!'} ${label.padEnd(11)} ${text}`;

/** What `demo --clean` did: ids of the rigs it removed, and how many things it could not remove. */
export interface DemoCleaned {
  readonly removed: readonly string[];
  readonly leftovers: number;
}

/** The same for people; what remains has no owner on record that ended. */
export const cleanedText = ({ removed, leftovers }: DemoCleaned): string =>
  removed.length === 0 && leftovers === 0
    ? 'nothing to remove'
    : `removed ${removed.length} left over, ${leftovers} things remain: in use from another container or chroot, or held by the kernel`;
