// The health of a running agent, put together: canaries on their way, and the address at which health,
// readiness and metrics are read. Ends both.
import type { Status } from '#agent/api/status.ts';
import { isNodeName, type NodeName } from '#agent/base/brands.ts';
import { addressAndPort } from '#agent/configFields.ts';
import { Canary, type CanaryOptions } from './canary.ts';
import { healthPages, type PageSources } from './pages.ts';
import { readinessOf, readinessSeen, type Readiness } from './readiness.ts';
import { serveHealth, type HealthServer } from './server.ts';

export interface HealthSources
  extends
    Omit<PageSources, 'canary' | 'readiness'>,
    Pick<CanaryOptions, 'dataPlane' | 'clock' | 'log'> {
  /** `IP:PORT`, or `off`: then no canary is sent either. */
  readonly healthAddress: string;
  /** The cluster's roster has this node. */
  readonly isAdmitted: () => boolean;
}

/** Health of one agent: nothing is sent or served before `start`. */
export class Health implements AsyncDisposable {
  readonly #from: HealthSources;
  readonly #canary: Canary;
  readonly #ending = new AbortController();
  #server: HealthServer | undefined;

  constructor(from: HealthSources) {
    const { dataPlane, clock, log } = from;
    const peers = () => sendable(from.status());
    this.#from = from;
    this.#canary = new Canary({ peers, dataPlane, clock, log, signal: this.#ending.signal });
  }

  /** Serves health and sends canaries until disposed. Errors: HEALTH_ADDRESS_UNUSABLE. */
  async start(): Promise<void> {
    const place = addressAndPort(this.#from.healthAddress);
    if (place === undefined) return;
    const pages = healthPages({
      ...this.#from,
      canary: () => this.#canary.state,
      readiness: (status) => this.#readiness(status),
    });
    this.#server = await serveHealth(place.address, place.port, pages);
    void this.#canary.run();
  }

  /** Of a node with this status, as `tidelock status` shows it; undefined where health is not served. */
  readiness(status: Status): Status['readiness'] {
    if (this.#server === undefined) return undefined;
    return readinessSeen(this.#readiness(status), this.#canary.state, this.#from.clock.monoMs());
  }

  #readiness(status: Status): Readiness {
    const { isAdmitted, clock } = this.#from;
    return readinessOf({
      status,
      isAdmitted: isAdmitted(),
      canary: this.#canary.state,
      nowMonoMs: clock.monoMs(),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.#server?.[Symbol.asyncDispose]();
  }
}

const sendable = ({ peers }: Status): readonly NodeName[] =>
  peers.flatMap(({ node, sendChain }) =>
    sendChain !== undefined && isNodeName(node) ? [node] : [],
  );
