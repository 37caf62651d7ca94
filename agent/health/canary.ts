// Knowing that lanes work: every few seconds a canary goes to one of the peers, each in its turn, and
// back. Without a peer, each worker of the data plane is asked whether it lives. It opens nothing
// itself, the data plane does (proxy/canary.ts), and decides nothing: that is readiness.ts.
import type { NodeName } from '#agent/base/brands.ts';
import { sleep, type Clock } from '#agent/base/clock.ts';
import type { Log } from '#agent/log.ts';
import type { LaneList } from '#proxy/laneList.ts';
import type { CanaryOutcome } from '#proxy/plane.ts';

export interface CanaryOptions {
  /** Peers to which a lane can be opened now. */
  readonly peers: () => readonly NodeName[];
  readonly dataPlane: {
    canary(peer: NodeName): Promise<CanaryOutcome>;
    lanes(max: number): Promise<LaneList | undefined>;
  };
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** The last canary that came back. */
export interface CanaryPass {
  /** Unix milliseconds and on the monotonic clock. */
  readonly atMs: number;
  readonly monoMs: number;
  /** Which it came back from, and after how long; without one it was the workers that answered. */
  readonly peer?: { readonly node: NodeName; readonly tookMs: number };
}

export interface CanaryState {
  /** Since the agent started. */
  readonly passed: number;
  readonly failed: number;
  readonly last: CanaryPass | undefined;
  /** Peers from which the last canary sent to them did not come back, and why. */
  readonly silent: ReadonlyMap<NodeName, string>;
  /** Why the workers did not answer when they were last asked; empty when they did. */
  readonly problem: string;
}

const EVERY_MS = 10_000;
/** After one that failed, and until there is a peer. */
const AGAIN_MS = 1000;
/** Asked at once while no peer is known to be good: each that is mute costs five seconds. */
const SEARCHED = 8;

export class Canary {
  readonly #o: CanaryOptions;
  #turn = 0;
  /** The last that a canary came back from, until one does not. */
  #good: NodeName | undefined;
  /** The round before brought nothing back: the good one is asked out of its turn. */
  #isAmiss = false;
  readonly #silent = new Map<NodeName, string>();
  #state: Omit<CanaryState, 'silent'> = {
    passed: 0,
    failed: 0,
    last: undefined,
    problem: '',
  };

  constructor(options: CanaryOptions) {
    this.#o = options;
  }

  get state(): CanaryState {
    return { ...this.#state, silent: this.#silent };
  }

  /** Sends canaries until the signal. */
  async run(): Promise<void> {
    const { clock, signal } = this.#o;
    while (!signal.aborted) {
      await this.send();
      const isWell = !this.#isAmiss && this.#state.last?.peer !== undefined;
      await sleep(clock, isWell ? EVERY_MS : AGAIN_MS, signal);
    }
  }

  /** One round: a canary to the peer whose turn it is, or to those that may show that lanes work. */
  async send(): Promise<void> {
    const peers = this.#o.peers();
    this.#forgetAllBut(new Set(peers));
    const { passed } = this.#state;
    if (peers.length === 0) await this.#askWorkers();
    else await Promise.all(this.#chosen(peers).map((peer) => this.#ask(peer)));
    this.#isAmiss = this.#state.passed === passed;
  }

  #forgetAllBut(peers: ReadonlySet<NodeName>): void {
    for (const peer of this.#silent.keys()) if (!peers.has(peer)) this.#silent.delete(peer);
    if (this.#good !== undefined && !peers.has(this.#good)) this.#good = undefined;
  }

  #chosen(peers: readonly NodeName[]): readonly NodeName[] {
    if (this.#good !== undefined && this.#isAmiss) return [this.#good];
    const count = this.#good === undefined ? Math.min(SEARCHED, peers.length) : 1;
    const from = this.#turn % peers.length;
    this.#turn = from + count;
    return [...peers.slice(from), ...peers.slice(0, from)].slice(0, count);
  }

  async #ask(peer: NodeName): Promise<void> {
    const outcome = await this.#o.dataPlane.canary(peer);
    const { log, signal } = this.#o;
    if (signal.aborted) return; // what ends has nothing to say about health
    if ('failed' in outcome) {
      const isNew = !this.#silent.has(peer);
      this.#silent.set(peer, outcome.failed);
      if (this.#good === peer) this.#good = undefined;
      this.#state = { ...this.#state, failed: this.#state.failed + 1 };
      const text = `a canary did not come back from ${peer}: ${outcome.failed}`;
      if (isNew) log.warn('canary.failed', { node: peer, text });
      return;
    }
    const isNews = this.#silent.delete(peer) || this.#state.last?.peer === undefined;
    this.#good = peer;
    this.#pass({ peer: { node: peer, tookMs: outcome.tookMs } });
    const text = `a canary came back from ${peer}: lanes to it work`;
    if (isNews) log.info('canary.passed', { node: peer, text });
  }

  async #askWorkers(): Promise<void> {
    const list = await this.#o.dataPlane.lanes(0);
    const { log, signal } = this.#o;
    if (signal.aborted) return;
    const before = this.#state;
    const problem = workersProblem(list);
    if (problem !== '') {
      this.#state = { ...before, failed: before.failed + 1, problem };
      const text = `no peer yet, and ${problem}`;
      if (before.problem === '') log.warn('canary.failed', { text });
      return;
    }
    this.#pass({});
    const isAgain = before.last !== undefined && before.last.peer === undefined;
    const text = 'no peer yet; the workers of the data plane answer';
    if (before.problem !== '' || !isAgain) log.info('canary.passed', { text });
  }

  #pass(by: Pick<CanaryPass, 'peer'>): void {
    const { clock } = this.#o;
    const last = { atMs: clock.wallMs(), monoMs: clock.monoMs(), ...by };
    this.#state = { ...this.#state, passed: this.#state.passed + 1, last, problem: '' };
  }
}

function workersProblem(list: LaneList | undefined): string {
  if (list === undefined) return 'no data plane runs';
  return list.silent === 0 ? '' : `${list.silent} workers of the data plane do not answer`;
}
