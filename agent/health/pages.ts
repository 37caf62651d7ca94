// What the health address serves: /healthz, /readyz and /metrics, the last two made when they are asked
// for, but for all who ask within a second once.
import type { Status } from '#agent/api/status.ts';
import type { Clock } from '#agent/base/clock.ts';
import { processUse } from '#agent/metrics/processes.ts';
import { METRICS_TYPE, renderMetrics } from '#agent/metrics/render.ts';
import type { CounterTotals } from '#proxy/counters.ts';
import type { CanaryState } from './canary.ts';
import type { Readiness } from './readiness.ts';
import type { Page, Pages } from './server.ts';

export interface PageSources {
  readonly status: () => Status;
  readonly readiness: (status: Status) => Readiness;
  readonly totals: () => CounterTotals;
  readonly eventsDropped: () => number;
  readonly canary: () => CanaryState;
  readonly clock: Clock;
}

/** The pages by path. */
export const healthPages = (from: PageSources): Pages => ({
  // Whoever reads this knows that the control plane turns; nothing that a restart cannot mend is in it.
  '/healthz': () => ({ code: 200, type: 'text/plain', body: 'ok\n' }),
  '/readyz': kept(from.clock, async () => readyPage(from.readiness(from.status()))),
  '/metrics': kept(from.clock, () => metricsPage(from)),
});

/** A page counts as the present one for so long, so that many callers cost no more than one. */
export const PAGE_KEPT_MS = 1000;

function kept(clock: Clock, make: () => Promise<Page>): () => Promise<Page> {
  let page: Promise<Page> | undefined;
  let madeMs = 0;
  return () => {
    const nowMs = clock.monoMs();
    if (page === undefined || nowMs - madeMs >= PAGE_KEPT_MS) {
      page = make();
      madeMs = nowMs;
    }
    return page;
  };
}

async function metricsPage(from: PageSources): Promise<Page> {
  const status = from.status();
  const { pid } = status.dataPlane;
  const [control, data] = await Promise.all([process.pid, pid].map(processUse));
  const body = await renderMetrics({
    status,
    totals: from.totals(),
    eventsDropped: from.eventsDropped(),
    isReady: from.readiness(status).ready,
    canary: from.canary(),
    processes: { control, data },
    nowMs: from.clock.wallMs(),
  });
  return { code: 200, type: METRICS_TYPE, body };
}

function readyPage(readiness: Readiness): Page {
  const body = `${JSON.stringify({ apiVersion: 'tidelock/v1', kind: 'Readiness', ...readiness })}\n`;
  return { code: readiness.ready ? 200 : 503, type: 'application/json', body };
}
