// Makes captured pods known to the program in the kernel: it learns a pod's devices from a program that
// the agent starts in the pod's namespace (pods.bt). A tracer that starts anew knows no pod.
import type { Clock } from '#agent/base/clock.ts';
import type { Run } from '#agent/base/run.ts';
import type { ProbedPod } from './naming.ts';

export interface WatchOptions {
  readonly pods: () => readonly ProbedPod[];
  readonly run: Run;
  readonly clock: Clock;
}

const RETRY_MS = 5_000;

export class Watch {
  readonly #o: WatchOptions;
  /** Namespaces that the tracer knows, by inode. */
  readonly #known = new Set<number>();
  /** When it was last tried to make one known. */
  readonly #triedMs = new Map<number, number>();
  #introducing = false;

  constructor(options: WatchOptions) {
    this.#o = options;
  }

  /** The tracer knows a namespace by this many devices. */
  learned(netns: number, devices: number): void {
    if (devices > 0) this.#known.add(netns);
  }

  /** The tracer has ended, and with it what it knew. */
  forget(): void {
    this.#known.clear();
    this.#triedMs.clear();
  }

  /** Captured pods whose packets nobody looks at. */
  missing(): readonly ProbedPod[] {
    return this.#o.pods().filter((pod) => pod.captured && !this.#known.has(pod.netnsInode));
  }

  /** Makes known who is not, one after the other. To be called about twice a second. */
  tick(): void {
    const present = new Set(this.#o.pods().map(({ netnsInode }) => netnsInode));
    for (const netns of this.#known) if (!present.has(netns)) this.#known.delete(netns);
    for (const netns of this.#triedMs.keys()) if (!present.has(netns)) this.#triedMs.delete(netns);
    if (this.#introducing) return;
    this.#introducing = true;
    void this.#introduce().finally(() => {
      this.#introducing = false;
    });
  }

  async #introduce(): Promise<void> {
    for (const { netnsInode, netnsPath } of this.missing()) {
      const nowMs = this.#o.clock.monoMs();
      if (nowMs - (this.#triedMs.get(netnsInode) ?? -Infinity) < RETRY_MS) continue;
      this.#triedMs.set(netnsInode, nowMs);
      // A pod that is gone, or a nsenter that is: either way it stays missing, and says so.
      await this.#o.run(['nsenter', `--net=${netnsPath}`, 'true']).catch(() => undefined);
    }
  }
}
