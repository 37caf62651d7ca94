// What probes tell the agent: typed events that name the pod. They are plain values; nothing here reads
// a line of bpftrace or keeps a state.

/** Where something happened: in a pod of this node, or in the node's own network namespace. */
export type Where =
  | {
      readonly kind: 'pod';
      readonly uid: string;
      readonly namespace: string;
      readonly name: string;
    }
  | { readonly kind: 'node' };

export type PodWhere = Extract<Where, { readonly kind: 'pod' }>;

/** An IPv4 or IPv6 address in canonical text, IPv4 never mapped, and a TCP port. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** A process as the kernel names it: its pid in the first pid namespace and at most 15 bytes of name. */
export interface ProcessRef {
  readonly pid: number;
  readonly comm: string;
}

interface Occurrence {
  /** Unix milliseconds at which the agent learned of it. */
  readonly at: number;
  readonly where: Where;
}

/** A process has become another program. */
export interface ExecEvent extends Occurrence, ProcessRef {
  readonly kind: 'exec';
  readonly ppid: number;
  readonly uid: number;
  /** As it was given to execve(2), at most 127 bytes. */
  readonly path: string;
}

/** A program asks for a TCP connection. */
export interface ConnectEvent extends Occurrence {
  readonly kind: 'connect';
  readonly process: ProcessRef;
  /** The process is not in the namespace of its socket: the data plane, which delivers into a pod. */
  readonly delivery: boolean;
  /** What the program asked for, before any redirect. */
  readonly destination: Endpoint;
}

/** A TCP connection has arrived at a listening socket. */
export interface AcceptEvent extends Occurrence {
  readonly kind: 'accept';
  readonly local: Endpoint;
  readonly remote: Endpoint;
}

/** A TCP connection has ended. */
export interface CloseEvent extends Occurrence {
  readonly kind: 'close';
  /** Absent when it began before the probes, or in too many at once. */
  readonly role?: 'connected' | 'accepted';
  /** False: it ended before the peer had answered. */
  readonly established: boolean;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** Who asked for it, of those that connected. */
  readonly process?: ProcessRef;
  readonly durationMs?: number;
}

/** TCP of a captured pod that goes past the redirect: it is in the clear and no policy has seen it. */
export interface BypassEvent extends Occurrence {
  readonly kind: 'bypass';
  readonly where: PodWhere;
  /** `out`: the pod asks for a connection. `in`: it answers one that no agent delivered. */
  readonly direction: 'out' | 'in';
  /** Made by a packet socket, and not by the kernel's own TCP. */
  readonly raw: boolean;
  readonly local: Endpoint;
  /** 0.0.0.0 and port 0 where a packet socket has hidden its headers in a page. */
  readonly remote: Endpoint;
  /** Absent when it cannot be known, as for what the kernel repeats by itself. */
  readonly process?: ProcessRef;
  /** Packets since the last event of this pod, direction and remote address and port. */
  readonly count: number;
}

export type ProbeEvent = ExecEvent | ConnectEvent | AcceptEvent | CloseEvent | BypassEvent;
export type ProbeKind = ProbeEvent['kind'];

/** Every kind, in the order of the budget in the `.bt` files, which count from 1 (6: more of bypass). */
export const PROBE_KINDS = [
  'exec',
  'connect',
  'accept',
  'close',
  'bypass',
] as const satisfies readonly ProbeKind[];
