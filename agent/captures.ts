// The pods of this node as captured: follows the inventory, keeps trying where a pod could not be
// captured, and hands listeners to the data plane. Rules are removed when a pod leaves the inventory.
import { sleep, type Clock } from '#agent/base/clock.ts';
import { asTidelockError, type TidelockError } from '#agent/base/errors.ts';
import type { Run } from '#agent/base/run.ts';
import type { Directory } from '#agent/epochs/directory.ts';
import type { Inventory, LocalPodSpec } from '#agent/inventory/inventory.ts';
import type { Log } from './log.ts';
import type { Family, ListenerRole } from '#proxy/control.ts';
import type { InheritedListeners } from '#proxy/inheritedListeners.ts';
import { capturePod, type CapturedPod, type PodToCapture } from '#proxy/redirect/pod.ts';
import type { RefusedSource, RulesState } from '#proxy/redirect/nftables.ts';
import { addCounts, NO_COUNTS, type RuleCounts } from '#proxy/redirect/ruleCounters.ts';
import type { Plaintext } from '#proxy/redirect/ruleset.ts';

export interface CapturesOptions {
  readonly inventory: Inventory;
  readonly plaintext: Plaintext;
  /** Whom programs in pods are to see as their peer. */
  readonly sourceAddress: PodToCapture['sourceAddress'];
  /** What becomes of captured pods when the agent stops. */
  readonly onStop: 'closed' | 'open';
  readonly run: Run;
  readonly clock: Clock;
  readonly log: Log;
  readonly listen: (role: ListenerRole, fd: number) => void;
  readonly unlisten: (role: ListenerRole) => void;
  /** Listeners that a data plane before this control plane holds. */
  readonly before?: InheritedListeners | undefined;
  /** Some pod was captured, released, or failed. */
  readonly onChange: () => void;
}

export interface PodState {
  readonly spec: LocalPodSpec;
  readonly captured: boolean;
  readonly error: TidelockError | undefined;
  /** Why its programs see the pod itself as their peer and not their clients; undefined: they need not. */
  readonly sourceProblem?: string | undefined;
}

interface Entry {
  spec: LocalPodSpec;
  captured: CapturedPod | undefined;
  error: TidelockError | undefined;
  /** What its rules had counted when last they could be read. */
  counted: RuleCounts;
}

const RETRY_MS = 2000;
/** Within this time the data plane has cut what went on in pods that were released. */
const CUT_MS = 500;

export class Captures {
  readonly #o: CapturesOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #closing = new AbortController();
  /** What the rules of released pods had counted. */
  #released = NO_COUNTS;
  /** Released, while deliveries into them may go on. */
  #leaving: CapturedPod[] = [];
  #reconciling: Promise<void> = Promise.resolve();
  #stopFollowing: () => void = () => undefined;

  constructor(options: CapturesOptions) {
    this.#o = options;
  }

  /** Captures what the inventory lists now and follows its changes. */
  async start(): Promise<void> {
    this.#stopFollowing = this.#o.inventory.onChange(() => void this.#queue());
    await this.#queue();
    void this.#retry();
  }

  pods(): readonly PodState[] {
    return [...this.#entries.values()].map(({ spec, captured, error }) => ({
      spec,
      captured: captured !== undefined,
      error,
      sourceProblem: captured?.sourceProblem,
    }));
  }

  /** The captured pods as the workload directory announces them. */
  announced(): Directory['pods'] {
    return this.pods()
      .filter(({ captured }) => captured)
      .map(({ spec: { uid, ips, spiffeId } }) => ({ uid, ips: [...ips], spiffeId, ports: [] }));
  }

  /** New sockets in a pod's namespace; none when the pod is not captured. Errors: SYSCALL_FAILED. */
  makeSockets(uid: string, family: Family, count: number): readonly number[] {
    return this.#entries.get(uid)?.captured?.makeSockets(count, family) ?? [];
  }

  /** What a pod's rules have counted; undefined: not captured. Errors: SYSCALL_FAILED. */
  counts(uid: string): RuleCounts | undefined {
    return this.#entries.get(uid)?.captured?.counts();
  }

  /** The same of all pods together, those that were released included. */
  allCounts(): RuleCounts {
    return [...this.#entries.values()].map(lastCounts).reduce(addCounts, this.#released);
  }

  /** Whose plaintext to a pod was refused lately; none when it is not captured. Errors: REDIRECT_FAILED. */
  async refusedSources(uid: string): Promise<readonly RefusedSource[]> {
    return (await this.#entries.get(uid)?.captured?.refusedSources()) ?? [];
  }

  /** Whether a pod's rules stand as they were loaded; undefined: not captured. Errors: REDIRECT_FAILED. */
  async rules(uid: string): Promise<RulesState | undefined> {
    return this.#entries.get(uid)?.captured?.rules();
  }

  /** One after the other: what one does to a pod is not undone by the next meanwhile. */
  #queue(act: () => Promise<void> = () => this.#reconcile()): Promise<void> {
    this.#reconciling = this.#reconciling.then(act);
    return this.#reconciling;
  }

  async #retry(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      await sleep(this.#o.clock, RETRY_MS, this.#closing.signal);
      if (this.#closing.signal.aborted) return;
      const waiting = [...this.#entries.values()].some((entry) => entry.captured === undefined);
      if (waiting) await this.#queue();
      await this.#queue(() => this.#retrySources());
    }
  }

  async #retrySources(): Promise<void> {
    for (const { spec, captured } of this.#entries.values()) {
      if (this.#closing.signal.aborted) return;
      if (captured?.sourceProblem === undefined) continue;
      await captured.retrySource();
      if (captured.sourceProblem !== undefined) continue;
      const pod = `${spec.namespace}/${spec.name}`;
      this.#o.log.info('pod.source', { pod, text: `programs in ${pod} see their clients now` });
    }
  }

  async #reconcile(): Promise<void> {
    const wanted = new Map(this.#o.inventory.pods().map((spec) => [spec.uid, spec]));
    for (const [uid, entry] of this.#entries) {
      const spec = wanted.get(uid);
      if (spec && samePlace(spec, entry.spec)) {
        entry.spec = { ...spec, netns: entry.spec.netns };
      } else {
        await this.#release(uid, entry);
      }
    }
    if (this.#leaving.length > 0) {
      this.#o.onChange();
      await sleep(this.#o.clock, CUT_MS);
      await this.forget(); // before another pod is captured in the same place
    }
    for (const spec of wanted.values()) {
      const entry = this.#entries.get(spec.uid) ?? {
        spec,
        captured: undefined,
        error: undefined,
        counted: NO_COUNTS,
      };
      this.#entries.set(spec.uid, entry);
      if (entry.captured === undefined && !this.#closing.signal.aborted) await this.#capture(entry);
    }
    this.#o.onChange();
  }

  async #capture(entry: Entry): Promise<void> {
    const { run, clock, log, plaintext, sourceAddress, listen, before } = this.#o;
    const { uid, namespace, name, ips, netns } = entry.spec;
    const pod = `${namespace}/${name}`;
    if ('problem' in netns) {
      this.#failed(entry, new Error(netns.problem));
      return;
    }
    try {
      entry.captured = await capturePod(
        { uid, netnsPath: netns.path, ips, plaintext, sourceAddress },
        { run, clock, before },
      );
      entry.error = undefined;
      for (const { family, fd } of entry.captured.listeners) listen(roleOf(uid, family), fd);
      log.info('pod.captured', { pod, text: `${pod} is captured` });
      this.#warnOfLimits(pod, entry.captured);
    } catch (thrown) {
      this.#failed(entry, thrown);
    }
  }

  /** What a captured pod does not have because its host does not let it. */
  #warnOfLimits(pod: string, { sourceProblem, reusesPorts }: CapturedPod): void {
    const { log, sourceAddress } = this.#o;
    if (sourceProblem !== undefined) {
      const text = `programs in ${pod} see the pod's own address as their peer, not their clients': ${sourceProblem}`;
      log.warn('pod.source', { pod, text });
    }
    // From their clients' addresses deliveries have as many ports as there are clients.
    if (!reusesPorts && (sourceAddress === 'pod' || sourceProblem !== undefined)) {
      const text = `net.ipv4.tcp_tw_reuse cannot be set in ${pod}: over about 470 new connections a second to one of its ports will fail. Make /proc/sys writable for the agent, or set it in the pod.`;
      log.warn('pod.ports', { pod, text });
    }
  }

  /** Says so once for each cause, however often it is tried again. */
  #failed(entry: Entry, thrown: unknown): void {
    const error = asTidelockError(thrown, 'captures.capture');
    const { namespace, name } = entry.spec;
    if (entry.error?.message !== error.message) {
      this.#o.log.warn('pod.not-captured', { pod: `${namespace}/${name}`, error });
    }
    entry.error = error;
  }

  async #release(uid: string, entry: Entry): Promise<void> {
    const { unlisten } = this.#o;
    this.#entries.delete(uid);
    const { captured } = entry;
    if (!captured) return;
    this.#released = addCounts(this.#released, lastCounts(entry));
    entry.captured = undefined;
    for (const { family } of captured.listeners) unlisten(roleOf(uid, family));
    this.#leaving.push(captured);
    await this.#undo(captured, () => captured.release());
  }

  /** Removes the last of pods that were released: once the data plane has ended, or cut its lanes to them. */
  async forget(): Promise<void> {
    for (const pod of this.#leaving.splice(0)) await this.#undo(pod, () => pod.forget());
  }

  async #undo({ uid }: CapturedPod, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (thrown) {
      // A pod that is gone took its rules along with its namespace.
      this.#o.log.debug('pod.release', { uid, error: asTidelockError(thrown, 'captures.release') });
    }
  }

  /**
   * `open`: every pod is as if no agent had been, once forget() has removed what live lanes still need.
   * `closed`: pods are cut off until one runs again.
   */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#stopFollowing();
    await this.#reconciling;
    for (const [uid, entry] of this.#entries) {
      if (this.#o.onStop === 'open') await this.#release(uid, entry);
      else entry.captured?.abandon();
    }
    this.#entries.clear();
  }
}

/** Who is root in a pod can keep its counters from being read; those of the others are read all the same. */
function lastCounts(entry: Entry): RuleCounts {
  try {
    entry.counted = entry.captured?.counts() ?? entry.counted;
  } catch {
    // Of the pod itself `status` then shows none, and `why` says more.
  }
  return entry.counted;
}

const roleOf = (podUid: string, family: Family): ListenerRole => ({ kind: 'pod', podUid, family });

/**
 * Whether a pod is still where it was captured. A namespace that cannot be found right now, as between
 * two processes of a pod, is no reason to let its traffic out.
 */
function samePlace(now: LocalPodSpec, then: LocalPodSpec): boolean {
  if ('problem' in then.netns || now.ips.join() !== then.ips.join()) return false;
  return 'problem' in now.netns || now.netns.id === then.netns.id;
}
