// What the clients of one program got: answers with their times, and failures with the connection that
// each was seen on. It judges nothing: that is windows.ts.
import { createLatencies, type Latencies } from '#hwtest/demo/latency.ts';

/** Something that a client program was not to see. */
export interface Failure {
  /** Wall time in ms. */
  readonly at: number;
  readonly program: string;
  /** Which connection of the client, and when that was made, wall time in ms. */
  readonly connection: string;
  readonly openedAt: number;
  readonly what: string;
}

/** A storm of failures has one cause; the rest is counted. */
const MAX_KEPT = 5_000;

export class Account {
  readonly program: string;
  readonly latencies: Latencies = createLatencies();
  readonly failures: Failure[] = [];
  requests = 0;
  /** Failures beyond those that are kept. */
  dropped = 0;
  /** Wall time in ms; 0 before the first answer. */
  answeredAt = 0;

  constructor(program: string) {
    this.program = program;
  }

  /** Requests that were answered rightly within `ms` each; NaN where a program does not say. */
  answered(...tookMs: readonly number[]): void {
    this.answeredAt = Date.now();
    this.requests += tookMs.length;
    for (const ms of tookMs) if (!Number.isNaN(ms)) this.latencies.add(ms);
  }

  failed(failure: Omit<Failure, 'program'>): void {
    if (this.failures.length < MAX_KEPT) this.failures.push({ ...failure, program: this.program });
    else this.dropped += 1;
  }
}
