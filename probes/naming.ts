// From what the kernel saw to events that name pods: which namespace is which pod, and who opened a
// socket. What it remembers of sockets is bounded; a socket forgotten loses its name, nothing else.
import type { Clock } from '#agent/base/clock.ts';
import type { PodWhere, ProbeEvent, ProcessRef, Where } from './events.ts';
import type { Sighting } from './line.ts';

/** A pod of this node as its network namespace shows it. */
export interface ProbedPod {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly netnsInode: number;
  /** A path by which the namespace can be entered. */
  readonly netnsPath: string;
  /** The redirect is in place: TCP of it that goes past is a bypass. */
  readonly captured: boolean;
}

export interface NamerOptions {
  readonly pods: () => readonly ProbedPod[];
  /** Inode of the network namespace of the node itself. */
  readonly nodeNetns: number;
  readonly clock: Clock;
}

/** `elsewhere`: in a namespace of nobody we know. `lawful`: TCP of a pod that may send it. */
export type Named = ProbeEvent | 'elsewhere' | 'lawful';

type BypassSighting = Extract<Sighting, { kind: 'bypass' }>;

interface Opened {
  readonly role: 'connected' | 'accepted';
  readonly atMs: number;
  readonly process?: ProcessRef;
}

const MAX_SOCKETS = 16_384;
const PODS_FRESH_MS = 250;

export class Namer {
  readonly #o: NamerOptions;
  readonly #sockets = new Map<number, Opened>();
  #pods = new Map<number, { readonly where: PodWhere; readonly captured: boolean }>();
  #podsReadMs = -Infinity;

  constructor(options: NamerOptions) {
    this.#o = options;
  }

  /** The event that a sighting is, at this moment. */
  name(sighting: Sighting): Named {
    const where = this.#where(sighting.netns);
    if (where === undefined) return 'elsewhere';
    const at = this.#o.clock.wallMs();
    switch (sighting.kind) {
      case 'exec': {
        const { kind, pid, ppid, uid, comm, path } = sighting;
        return { kind, at, where, pid, ppid, uid, comm, path };
      }
      case 'connect': {
        const { kind, netns, byNetns, socket, process, destination } = sighting;
        this.#remember(socket, { role: 'connected', process });
        return { kind, at, where, process, delivery: byNetns !== netns, destination };
      }
      case 'accept': {
        const { kind, socket, local, remote } = sighting;
        this.#remember(socket, { role: 'accepted' });
        return { kind, at, where, local, remote };
      }
      case 'close': {
        const { kind, socket, established, local, remote } = sighting;
        const opened = this.#sockets.get(socket);
        this.#sockets.delete(socket);
        return {
          kind,
          at,
          where,
          established,
          local,
          remote,
          ...(opened && {
            role: opened.role,
            durationMs: Math.round(this.#o.clock.monoMs() - opened.atMs),
          }),
          ...(opened?.process && { process: opened.process }),
        };
      }
      case 'bypass': {
        const { kind, raw, answers, socket, local, remote } = sighting;
        if (where.kind === 'node' || !this.#isCaptured(sighting.netns)) return 'lawful';
        const accepted = answers || this.#sockets.get(socket)?.role === 'accepted';
        const direction = accepted && !raw ? 'in' : 'out';
        const process = direction === 'out' ? this.#senderOf(sighting) : undefined;
        const who = process && { process };
        return { kind, at, where, direction, raw, local, remote, ...who, count: 1 };
      }
    }
  }

  /** The captured pod that a namespace is. */
  capturedPod(netns: number): PodWhere | undefined {
    const where = this.#where(netns);
    return where?.kind === 'pod' && this.#isCaptured(netns) ? where : undefined;
  }

  /** The kernel sends some packets by itself, while any process runs: only one beside the socket is named. */
  #senderOf({ socket, own, process }: BypassSighting): ProcessRef | undefined {
    const asked = this.#sockets.get(socket)?.process;
    if (asked) return asked;
    return own && process.pid !== 0 ? process : undefined;
  }

  #isCaptured(netns: number): boolean {
    return this.#pods.get(netns)?.captured === true;
  }

  #remember(socket: number, opened: Omit<Opened, 'atMs'>): void {
    this.#sockets.delete(socket); // so that it becomes the newest
    this.#sockets.set(socket, { ...opened, atMs: this.#o.clock.monoMs() });
    const [oldest] = this.#sockets.keys();
    if (this.#sockets.size > MAX_SOCKETS && oldest !== undefined) this.#sockets.delete(oldest);
  }

  #where(netns: number): Where | undefined {
    if (netns === this.#o.nodeNetns) return { kind: 'node' };
    const nowMs = this.#o.clock.monoMs();
    if (nowMs - this.#podsReadMs > PODS_FRESH_MS) {
      this.#podsReadMs = nowMs;
      this.#pods = new Map(
        this.#o
          .pods()
          .map(({ uid, namespace, name, netnsInode, captured }) => [
            netnsInode,
            { where: { kind: 'pod', uid, namespace, name }, captured },
          ]),
      );
    }
    return this.#pods.get(netns)?.where;
  }
}
