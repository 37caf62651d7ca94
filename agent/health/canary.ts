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

export interface CanaryState {
  /** Since the agent started. */
  readonly passed: number;
  readonly failed: number;
  /** When one last came back, unix milliseconds and on the monotonic clock. */
  readonly passedAtMs: number | undefined;
  readonly passedMonoMs: number | undefined;
  /** What the last one that came back has proved: a lane to a peer, or that the workers live. */
  readonly path: 'peer' | 'workers' | undefined;
  /** Of the last that came back from a peer. */
  readonly tookMs: number | undefined;
  /** Why the last one did not come back; empty when it did. */
  readonly problem: string;
}

const EVERY_MS = 10_000;
/** After one that failed, and until there is a peer. */
const AGAIN_MS = 1000;

export class Canary {
  readonly #o: CanaryOptions;
  #turn = 0;
  #state: CanaryState = {
    passed: 0,
    failed: 0,
    passedAtMs: undefined,
    passedMonoMs: undefined,
    path: undefined,
    tookMs: undefined,
    problem: 'none has been sent yet',
  };

  constructor(options: CanaryOptions) {
    this.#o = options;
  }

  get state(): CanaryState {
    return this.#state;
  }

  /** Sends canaries until the signal. */
  async run(): Promise<void> {
    const { clock, signal } = this.#o;
    while (!signal.aborted) {
      await this.send();
      const { problem, path } = this.#state;
      await sleep(clock, problem === '' && path === 'peer' ? EVERY_MS : AGAIN_MS, signal);
    }
  }

  /** Sends one and waits for what becomes of it. */
  async send(): Promise<void> {
    const peers = this.#o.peers();
    const peer = peers[this.#turn % Math.max(1, peers.length)];
    this.#turn += 1;
    if (peer === undefined) {
      const problem = await this.#workersProblem();
      this.#note('workers', problem, undefined);
      return;
    }
    const outcome = await this.#o.dataPlane.canary(peer);
    if ('failed' in outcome) this.#note('peer', `${peer}: ${outcome.failed}`, undefined);
    else this.#note('peer', '', outcome.tookMs);
  }

  async #workersProblem(): Promise<string> {
    const list = await this.#o.dataPlane.lanes(0);
    if (list === undefined) return 'no data plane runs';
    return list.silent === 0 ? '' : `${list.silent} workers of the data plane do not answer`;
  }

  #note(path: 'peer' | 'workers', problem: string, tookMs: number | undefined): void {
    const { clock, log, signal } = this.#o;
    if (signal.aborted) return; // what ends has nothing to say about health
    const before = this.#state;
    if (problem !== '') {
      this.#state = { ...before, failed: before.failed + 1, problem };
      const isNew = before.problem === '';
      if (isNew)
        log.warn('canary.failed', { problem, text: `a canary did not come back: ${problem}` });
      return;
    }
    this.#state = {
      ...before,
      passed: before.passed + 1,
      passedAtMs: clock.wallMs(),
      passedMonoMs: clock.monoMs(),
      path,
      tookMs: tookMs ?? before.tookMs,
      problem: '',
    };
    if (before.problem !== '' || before.path !== path) {
      log.info('canary.passed', { path, text: PROVED[path] });
    }
  }
}

const PROVED = {
  peer: 'a canary came back from a peer: lanes work',
  workers: 'no peer yet; the workers of the data plane answer',
} as const;
