// What control plane and data plane say to each other, and main thread and workers within the data
// plane: message types. Bytes and framing are proxy/channel.ts, what the privileged side makes of what it
// hears proxy/dataMessage.ts; nothing here opens a socket.
import type { NodeName } from '#agent/base/brands.ts';
import type { LaneEvent, LaneInfo } from './facts.ts';
import type { QuotaMemory } from './quota.ts';
import type { ToldSnapshot } from './snapshot.ts';

/**
 * Rises with what is said here, in snapshots (snapshot.ts) or in the record (planeRecord.ts). Each end
 * understands the version before and after its own: it leaves aside what it does not know, and does
 * without what is not there. So nothing that both ends need is renamed, or removed within one version.
 */
export const CONTROL_VERSION = 4;

/** Whether the other end may be of this version. */
export const understands = (version: number): boolean => Math.abs(version - CONTROL_VERSION) <= 1;

/**
 * From this version on a data plane asks whose an address is (Snapshot.asks). One before takes whom it is not
 * told of for nobody, and is to be told of all nodes.
 */
export const ASKS_VERSION = 4;

/** Longest frame the data plane accepts: a snapshot of a large cluster, bytes. */
export const MAX_CONTROL_FRAME_BYTES = 128 << 20;
/** Longest frame the control plane accepts from the data plane, bytes. */
export const MAX_DATA_FRAME_BYTES = 64 << 10;

/** File descriptors the data plane finds open when it starts. */
export const PLANE_FDS = { channel: 3, fds: 4, replay: 5, counters: 6, door: 7 } as const;

/** What a listening socket is for. A pod that has IPv6 has a listener per family. */
export type ListenerRole =
  | { readonly kind: 'lane' }
  | { readonly kind: 'pod'; readonly podUid: string; readonly family: Family };

export type Family = 4 | 6;

/** Fixed for the life of a data plane; proxy/worker.ts reads it. */
export interface PlaneSettings {
  readonly workers: number;
  /** The user and group it becomes, never 0. */
  readonly uid: number;
  readonly gid: number;
  /** What it is built from: a control plane of another build does not take it over. */
  readonly build: string;
}

// --- control plane to data plane (trusted) --------------------------------------------------------

export type ControlMessage =
  /** The first message of a control plane, to a data plane it started or took over. */
  | {
      readonly type: 'hello';
      readonly version: number;
      readonly settings: PlaneSettings;
      /** Without a snapshot for so long, drain and end. */
      readonly staleAfterMs: number;
    }
  | { readonly type: 'snapshot'; readonly snapshot: ToldSnapshot }
  /** One fd under `ticket` waits on the fd socket; it replaces the listener of the same role. */
  | { readonly type: 'listener'; readonly ticket: number; readonly role: ListenerRole }
  | { readonly type: 'unlisten'; readonly role: ListenerRole }
  /** Every listener that is to be served was named since `hello`: the others are closed. */
  | { readonly type: 'listenersNamed' }
  /**
   * Answers a `poolLow`: `count` unconnected TCP sockets of the pod's namespace wait under `ticket`,
   * for one worker. A count of 0 has no ticket: none can be made now.
   */
  | {
      readonly type: 'sockets';
      readonly ticket: number;
      readonly worker: number;
      readonly podUid: string;
      readonly family: Family;
      readonly count: number;
    }
  /** Answers a `whereIs`; `isKnown`: a snapshot that was sent before has it. Absent: it could not be found out. */
  | {
      readonly type: 'whereabouts';
      readonly id: number;
      readonly worker: number;
      readonly isKnown?: boolean | undefined;
    }
  /** Asks one worker for its live connections whose number is over `after`. */
  | {
      readonly type: 'lanes';
      readonly id: number;
      readonly worker: number;
      readonly after: number;
    }
  /** Asks a worker to open a lane to `peer` that carries a few bytes there and back (canary.ts). */
  | { readonly type: 'canary'; readonly id: number; readonly peer: NodeName }
  /** Accept no more; end when the last lane has ended or after `deadlineMs`. */
  | { readonly type: 'drain'; readonly deadlineMs: number };

// --- data plane to control plane (untrusted: read by dataMessage.ts) -------------------------------

export type DataMessage =
  /** All workers run and every privilege is dropped. */
  | {
      readonly type: 'hello';
      readonly version: number;
      readonly workers: number;
      /** Threads that stand by for one that ends. */
      readonly spares: number;
    }
  /** Every worker uses this snapshot. */
  | { readonly type: 'ack'; readonly version: number }
  | {
      readonly type: 'poolLow';
      readonly worker: number;
      readonly podUid: string;
      readonly family: Family;
      readonly want: number;
    }
  /** Asks whose `address`, in its one form, is: no snapshot has it. */
  | {
      readonly type: 'whereIs';
      readonly id: number;
      readonly worker: number;
      readonly address: string;
    }
  | PeersUsed
  /** `dropped`: events left out since the last one that was sent. */
  | { readonly type: 'event'; readonly event: LaneEvent; readonly dropped: number }
  | LanePage
  | CanaryAnswer
  /** Asymmetric operations of the data plane since it started (G1). */
  | { readonly type: 'asymmetric'; readonly total: number; readonly tokens: number }
  /** A worker has ended with its connections; where a spare took its place, that waits for a snapshot. */
  | {
      readonly type: 'workerLost';
      readonly worker: number;
      /** At most 200 characters. */
      readonly why: string;
      readonly working: number;
      readonly spares: number;
    };

/** Answers `lanes`; at most LANES_PER_PAGE of them, so that a frame stays under its limit. */
export interface LanePage {
  readonly type: 'lanes';
  readonly id: number;
  readonly lanes: readonly LaneInfo[];
  /** Live connections of this worker. */
  readonly live: number;
  /** Ask again after this number; absent on the last page. */
  readonly next?: number | undefined;
}

/** Answers `canary`. */
export interface CanaryAnswer {
  readonly type: 'canary';
  readonly id: number;
  /** Absent: it came back whole. Else one clause on what went wrong. */
  readonly failed?: string | undefined;
  /** From the connect to the last byte back, milliseconds. */
  readonly tookMs: number;
}

/** Peers that a worker has connections with, or had some since it last said so; MAX_PEERS_USED at most. */
interface PeersUsed {
  readonly type: 'using';
  readonly peers: readonly NodeName[];
}

/** A name of a node has up to 253 bytes. */
export const MAX_PEERS_USED = 200;
/** Of all workers; beyond it they are not passed on, and end unanswered. */
export const QUESTIONS_PER_SECOND = 5000;
/** Of each kind of event, in a second. */
export const EVENTS_PER_SECOND = 100;
/** Two SPIFFE IDs have up to 4 KiB. */
export const LANES_PER_PAGE = 12;
/** Most sockets in one `sockets` message: SCM_MAX_FD of the kernel. */
export const MAX_SOCKETS = 253;

// --- main thread and workers of the data plane (one process, one trust) ---------------------------

/** `workerData` of a worker thread. */
export interface WorkerInit {
  /** memfds to map with ReplaySet.map and Counters.map; the worker does not close them. */
  readonly replayFd: number;
  readonly countersFd: number;
  /** An eventfd that is rung with every message, for a worker that waits in its Reactor. */
  readonly bell: number;
  readonly quotas: SharedQuotas;
  /** heldMemory() of the data plane. */
  readonly held: SharedArrayBuffer;
  /** ledgerMemory() of the process. */
  readonly ledger: SharedArrayBuffer;
  /** How many descriptors the process may open. */
  readonly descriptorLimit: number;
  readonly settings: PlaneSettings;
}

/** What all workers count together: connections that pods make, those made to pods, and lanes with peers. */
export interface SharedQuotas {
  readonly pods: QuotaMemory;
  readonly podsCalled: QuotaMemory;
  readonly peers: QuotaMemory;
}

export type ToWorker =
  /** The first message, and no other before it: which worker of the data plane it is from here on. */
  | { readonly type: 'begin'; readonly index: number }
  /** A frame of this worker's own, transferred: decode with snapshotOf, fill with 0 when replaced. */
  | { readonly type: 'snapshot'; readonly frame: Uint8Array }
  /** A dup of this worker's own, to close; it replaces the listener of the same role. */
  | { readonly type: 'listen'; readonly fd: number; readonly role: ListenerRole }
  | { readonly type: 'unlisten'; readonly role: ListenerRole }
  /** Unconnected non-blocking TCP sockets of the pod's namespace, this worker's own. */
  | {
      readonly type: 'sockets';
      readonly podUid: string;
      readonly family: Family;
      readonly fds: readonly number[];
    }
  | { readonly type: 'verified'; readonly id: number; readonly valid: boolean }
  | { readonly type: 'whereabouts'; readonly id: number; readonly isKnown?: boolean | undefined }
  /** Another control plane takes over: what it says next adds to what the last one said. */
  | { readonly type: 'succeeded' }
  | { readonly type: 'lanes'; readonly id: number; readonly after: number }
  | { readonly type: 'canary'; readonly id: number; readonly peer: NodeName }
  | { readonly type: 'drain'; readonly deadlineMs: number };

/** Events, and how many were left out before them. */
export interface EventBatch {
  readonly events: readonly LaneEvent[];
  readonly dropped: number;
}

export type FromWorker =
  /** Modules are loaded: privileges may be dropped. */
  | { readonly type: 'ready' }
  | { readonly type: 'ack'; readonly version: number }
  | {
      readonly type: 'poolLow';
      readonly podUid: string;
      readonly family: Family;
      readonly want: number;
    }
  | { readonly type: 'whereIs'; readonly id: number; readonly address: string }
  | PeersUsed
  | ({ readonly type: 'events' } & EventBatch)
  | LanePage
  | CanaryAnswer
  /** Ed25519 over `message` by `key` (32 bytes): asked once per token, answered by `verified`. */
  | {
      readonly type: 'verify';
      readonly id: number;
      readonly key: Uint8Array;
      readonly message: Uint8Array;
      readonly signature: Uint8Array;
    }
  /** No lane is left. */
  | { readonly type: 'drained' };

/** Text that is equal for equal roles: the key of a listener table. */
export const roleKey = (role: ListenerRole): string =>
  role.kind === 'lane' ? 'lane' : `pod/${role.podUid}/${role.family}`;
