// What control plane and data plane say to each other, and main thread and workers within the data
// plane: message types, and the schema for everything the privileged side hears from the other.
// Bytes and framing are proxy/channel.ts; nothing here opens a socket.
import { z } from 'zod';
import { nodeName, spiffeId } from '#agent/base/schema.ts';
import { COUNTERS_LAYOUT, REFUSALS } from './counters.ts';
import type { Snapshot } from './snapshot.ts';

/** Both ends refuse a peer of another version: they are always started from the same checkout. */
export const CONTROL_VERSION = 1;

/** Longest frame the data plane accepts: a snapshot of a large cluster, bytes. */
export const MAX_CONTROL_FRAME_BYTES = 128 << 20;
/** Longest frame the control plane accepts from the data plane, bytes. */
export const MAX_DATA_FRAME_BYTES = 64 << 10;

/** File descriptors the data plane finds open when it starts. */
export const PLANE_FDS = { channel: 3, fds: 4, replay: 5, counters: 6 } as const;

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
}

// --- control plane to data plane (trusted) --------------------------------------------------------

export type ControlMessage =
  | { readonly type: 'hello'; readonly version: number; readonly settings: PlaneSettings }
  | { readonly type: 'snapshot'; readonly snapshot: Snapshot }
  /** One fd under `ticket` waits on the fd socket; it replaces the listener of the same role. */
  | { readonly type: 'listener'; readonly ticket: number; readonly role: ListenerRole }
  | { readonly type: 'unlisten'; readonly role: ListenerRole }
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
  /** Accept no more; end when the last lane has ended or after `deadlineMs`. */
  | { readonly type: 'drain'; readonly deadlineMs: number };

// --- data plane to control plane (untrusted: parsed by dataMessage) -------------------------------

/** What happened to one lane or connection; at most EVENTS_PER_SECOND leave a data plane. */
export interface LaneEvent {
  /** Unix milliseconds. */
  readonly at: number;
  readonly kind: 'opened' | 'closed' | 'refused';
  readonly direction: 'out' | 'in' | 'local';
  /** Pod of this node that took part, where known. */
  readonly podUid?: string | undefined;
  /** Node at the other end, where authenticated. */
  readonly peer?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  /** Original destination as `address:port`. */
  readonly destination?: string | undefined;
  readonly reason?: (typeof REFUSALS)[number] | undefined;
  /** Policy rule that decided, or one clause of detail; at most 200 characters. */
  readonly detail?: string | undefined;
}

export type DataMessage =
  /** All workers run and every privilege is dropped. */
  | { readonly type: 'hello'; readonly version: number; readonly workers: number }
  /** Every worker uses this snapshot. */
  | { readonly type: 'ack'; readonly version: number }
  | {
      readonly type: 'poolLow';
      readonly worker: number;
      readonly podUid: string;
      readonly family: Family;
      readonly want: number;
    }
  /** `dropped`: events left out since the last one that was sent. */
  | { readonly type: 'event'; readonly event: LaneEvent; readonly dropped: number }
  /** Asymmetric operations of the data plane since it started (G1). */
  | { readonly type: 'asymmetric'; readonly total: number; readonly tokens: number }
  | { readonly type: 'drained' };

export const EVENTS_PER_SECOND = 100;
/** Most sockets in one `sockets` message: SCM_MAX_FD of the kernel. */
export const MAX_SOCKETS = 253;

const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const short = z.string().max(200);
const podUid = z.string().min(1).max(128);

const laneEvent = z.strictObject({
  at: count,
  kind: z.enum(['opened', 'closed', 'refused']),
  direction: z.enum(['out', 'in', 'local']),
  podUid: podUid.optional(),
  peer: nodeName.optional(),
  from: spiffeId.optional(),
  to: spiffeId.optional(),
  destination: short.optional(),
  reason: z.enum(REFUSALS).optional(),
  detail: short.optional(),
});

/** Everything a data plane may say; the control plane parses each frame by it. */
export const dataMessage: z.ZodType<DataMessage> = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('hello'),
    version: count,
    workers: count.max(COUNTERS_LAYOUT.maxWorkers),
  }),
  z.strictObject({ type: z.literal('ack'), version: count }),
  z.strictObject({
    type: z.literal('poolLow'),
    worker: count.max(COUNTERS_LAYOUT.maxWorkers - 1),
    podUid,
    family: z.union([z.literal(4), z.literal(6)]),
    want: count.min(1).max(MAX_SOCKETS),
  }),
  z.strictObject({ type: z.literal('event'), event: laneEvent, dropped: count }),
  z.strictObject({ type: z.literal('asymmetric'), total: count, tokens: count }),
  z.strictObject({ type: z.literal('drained') }),
]);

// --- main thread and workers of the data plane (one process, one trust) ---------------------------

/** `workerData` of a worker thread. */
export interface WorkerInit {
  readonly index: number;
  /** memfds to map with ReplaySet.map and Counters.map; the worker does not close them. */
  readonly replayFd: number;
  readonly countersFd: number;
  readonly settings: PlaneSettings;
}

export type ToWorker =
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
  | { readonly type: 'drain'; readonly deadlineMs: number };

export type FromWorker =
  /** Modules are loaded and memfds mapped: privileges may be dropped. */
  | { readonly type: 'ready' }
  | { readonly type: 'ack'; readonly version: number }
  | {
      readonly type: 'poolLow';
      readonly podUid: string;
      readonly family: Family;
      readonly want: number;
    }
  | { readonly type: 'event'; readonly event: LaneEvent; readonly dropped: number }
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
