// The shape of `GET /status`: everything a running agent says about itself. app.ts fills it, the CLI
// and the demo read it; there is no secret in it.
import { hostSchema } from '#agent/host.ts';
import { z } from 'zod';

const text = z.string();
const count = z.number();

const agent = z.object({
  version: text,
  pid: count,
  /** ISO 8601. */
  startedAt: text,
  uptimeMs: count,
});

/** A RATS verdict about a node, with what led to it. */
const verdict = z.enum(['affirming', 'warning', 'contraindicated', 'none']);

const node = z.object({
  name: text,
  domain: text,
  cluster: text,
  /** Statement id in hex; absent before the first statement. */
  sid: text.optional(),
  verdict,
  /** How much is behind the verdict: `tpm`, later `tpm+ima`, `tpm+cc`. */
  level: text,
  reason: text,
  checks: z.array(z.object({ name: text, result: text, text })),
  renewedAt: text.optional(),
  /** Hex by index, of the quoted bank. */
  pcrs: z.record(text, text),
});

const chain = z.object({
  id: text,
  epoch: count,
  generation: count,
  algorithm: text,
  atSlot: count,
  confirmedBy: z.array(text),
});

const epochs = z.object({
  conductor: text.optional(),
  isConductor: z.boolean(),
  term: count,
  generation: count,
  epoch: count,
  slot: count,
  periodMs: count,
  chains: z.array(chain),
  /** Since the agent started. */
  chainsSeen: count,
  slotsSeen: count,
  algorithmsSeen: z.array(text),
  busConnected: z.boolean(),
  lastRecordAgeMs: count.optional(),
});

const peer = z.object({
  node: text,
  address: text,
  sid: text.optional(),
  verdict,
  reason: text,
  expiresInMs: count.optional(),
  /** The chain that new lanes to it use. */
  sendChain: text.optional(),
  /** Why no lane to it can be opened. */
  refused: text.optional(),
  clockOffsetMs: count.optional(),
});

const lanes = z.object({
  active: count,
  openedOut: count,
  openedIn: count,
  sameNode: count,
  refused: z.record(text, count),
  bytesOut: count,
  bytesIn: count,
  keyUpdates: count,
  strangers: count,
  replayed: count,
  /** As the configuration has them. */
  sourceAddress: z.enum(['preserve', 'pod']),
  onStop: z.enum(['closed', 'open']),
  halfClosedSeconds: count,
  limits: z.object({
    perPodLanes: count,
    perPodOpeningsPerSecond: count,
    perPeerLanes: count,
    perPeerOpeningsPerSecond: count,
  }),
});

/** What a pod's rules have counted since they were loaded; packets where nothing else is said. */
const passed = z.object({
  /** Plaintext TCP from outside. */
  refusedIn: count,
  /** Connections from outside. */
  plainIn: count,
  /** TCP past the redirect, dropped. */
  droppedOut: count,
  udpOut: count,
  udpIn: count,
  udpRefused: count,
});

/** What comes and goes outside of lanes: each setting with its exceptions. */
const outside = z.object({
  inbound: text,
  unmeshed: text,
  udp: text,
  /** Connections to destinations without an agent. */
  plainOut: count,
  /** Of all pods since the agent started; absent where the rules cannot be read. */
  counts: passed.optional(),
});

/** A service by family of its addresses. */
const service = z.object({
  /** `namespace/name`. */
  name: text,
  ips: z.array(text),
  affinity: z.enum(['None', 'ClientIP']),
  /** Endpoints as `address:port`: those that are declared ready and are known. */
  ports: z.array(z.object({ port: count, endpoints: z.array(text) })),
});

const pod = z.object({
  uid: text,
  namespace: text,
  name: text,
  spiffeId: text,
  ips: z.array(text),
  captured: z.boolean(),
  error: text.optional(),
  /** Why its programs see the pod itself as their peer and not their clients, if they should. */
  sourceProblem: text.optional(),
  outside: passed.optional(),
});

/** What /readyz says (docs/metrics.md), with names. */
const readiness = z.object({
  ready: z.boolean(),
  /** What does not hold, each as `check: why`; empty when ready. */
  reasons: z.array(text),
  canary: z.object({
    /** Since one last came back; absent until one has. */
    ageMs: count.optional(),
    /** Which peer that was, and how long it took; absent where only the workers were asked. */
    peer: text.optional(),
    tookMs: count.optional(),
    /** Peers from which the last canary sent to them did not come back, the first few. */
    silent: z.array(z.object({ peer: text, reason: text })),
  }),
});

/** A process as /proc shows it. */
const processUse = z.object({
  residentBytes: count,
  openFds: count,
  /** So many it may open. */
  maxFds: count,
});

/** Schema of the whole document. */
export const statusSchema = z.object({
  agent,
  /** Absent until it was read. */
  host: hostSchema.optional(),
  node,
  /** Absent while the agent starts, and where api.healthAddress is off. */
  readiness: readiness.optional(),
  epochs,
  peers: z.array(peer),
  lanes,
  outside,
  asymmetric: z.object({ total: count, statements: count, tokens: count }),
  pods: z.array(pod),
  services: z.array(service),
  dataPlane: z.object({
    pid: count.optional(),
    uid: count,
    workers: count,
    /** Threads that work now, and those that stand by for one that ends. */
    working: count,
    spares: count,
    /** Connections alive, by worker. */
    lanesByWorker: z.array(count),
    state: text,
    restarts: count,
  }),
  /** What both processes use; absent for one that does not run. */
  processes: z.object({ control: processUse.optional(), data: processUse.optional() }).optional(),
  probes: z.object({
    state: z.enum(['starting', 'running', 'degraded', 'off']),
    code: text.optional(),
    reason: text.optional(),
    remedy: text.optional(),
    /** By kind, since the agent started. */
    events: z.record(z.string(), count),
    lost: count,
    limited: count,
    unreadable: count,
    restarts: count,
    rssBytes: count.optional(),
    /** When nothing was seen; without `to` it lasts. */
    gaps: z.array(z.object({ from: count, to: count.optional(), reason: text })),
    /** Captured pods whose packets are not looked at. */
    unwatched: z.array(text),
    /** Captured pods whose traffic went past the redirect: packets, those not told, and the last events. */
    bypasses: z.array(
      z.object({
        pod: text,
        packets: count,
        untold: count,
        last: z.array(z.object({ at: count, text })),
      }),
    ),
  }),
  events: z.array(
    z.object({ at: count, level: z.enum(['debug', 'info', 'warn', 'error']), code: text, text }),
  ),
  warnings: z.array(text),
});

/** What a running agent says about itself. */
export type Status = z.infer<typeof statusSchema>;
