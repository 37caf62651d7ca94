// The health of a running agent, put together: canaries on their way, and the address at which health,
// readiness and metrics are read. Ends both.
import type { Status } from '#agent/api/status.ts';
import { isNodeName, type NodeName } from '#agent/base/brands.ts';
import { addressAndPort } from '#agent/configFields.ts';
import { Canary, type CanaryOptions } from './canary.ts';
import { healthPages, type PageSources } from './pages.ts';
import { serveHealth } from './server.ts';

export interface HealthSources
  extends Omit<PageSources, 'canary'>, Pick<CanaryOptions, 'dataPlane' | 'log'> {
  /** `IP:PORT`, or `off`: then no canary is sent either. */
  readonly healthAddress: string;
}

/** Serves health until disposed. Errors: HEALTH_ADDRESS_UNUSABLE. */
export async function startHealth(from: HealthSources): Promise<AsyncDisposable> {
  const ending = new AbortController();
  const place = addressAndPort(from.healthAddress);
  if (place === undefined) return { [Symbol.asyncDispose]: async () => undefined };
  const { dataPlane, clock, log } = from;
  const canary = new Canary({
    peers: () => sendable(from.status()),
    dataPlane,
    clock,
    log,
    signal: ending.signal,
  });
  const pages = healthPages({ ...from, canary: () => canary.state });
  const server = await serveHealth(place.address, place.port, pages);
  void canary.run();
  return {
    [Symbol.asyncDispose]: async () => {
      ending.abort();
      await server[Symbol.asyncDispose]();
    },
  };
}

const sendable = ({ peers }: Status): readonly NodeName[] =>
  peers.flatMap(({ node, sendChain }) =>
    sendChain !== undefined && isNodeName(node) ? [node] : [],
  );
