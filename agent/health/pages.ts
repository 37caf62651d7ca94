// What the health address serves: /healthz, /readyz and /metrics, each made when it is asked for.
import type { Status } from '#agent/api/status.ts';
import { processUse } from '#agent/metrics/processes.ts';
import { METRICS_TYPE, renderMetrics } from '#agent/metrics/render.ts';
import type { CounterTotals } from '#proxy/counters.ts';
import type { CanaryState } from './canary.ts';
import { readinessOf, type Readiness } from './readiness.ts';
import type { Page, Pages } from './server.ts';
import type { Clock } from '#agent/base/clock.ts';

export interface PageSources {
  readonly status: () => Status;
  readonly isAdmitted: () => boolean;
  readonly totals: () => CounterTotals;
  readonly eventsDropped: () => number;
  readonly canary: () => CanaryState;
  readonly clock: Clock;
}

/** The pages by path. */
export function healthPages(from: PageSources): Pages {
  const readiness = (status: Status): Readiness =>
    readinessOf({
      status,
      isAdmitted: from.isAdmitted(),
      canary: from.canary(),
      nowMonoMs: from.clock.monoMs(),
    });
  return {
    // Whoever reads this knows that the control plane turns; nothing that a restart cannot mend is in it.
    '/healthz': () => ({ code: 200, type: 'text/plain', body: 'ok\n' }),
    '/readyz': () => readyPage(readiness(from.status())),
    '/metrics': async () => {
      const status = from.status();
      const { pid } = status.dataPlane;
      const [control, data] = await Promise.all([
        processUse(process.pid),
        pid === undefined ? undefined : processUse(pid),
      ]);
      const body = await renderMetrics({
        status,
        totals: from.totals(),
        eventsDropped: from.eventsDropped(),
        isReady: readiness(status).ready,
        canary: from.canary(),
        processes: { control, data },
        nowMs: from.clock.wallMs(),
      });
      return { code: 200, type: METRICS_TYPE, body };
    },
  };
}

function readyPage(readiness: Readiness): Page {
  const body = `${JSON.stringify({ apiVersion: 'tidelock/v1', kind: 'Readiness', ...readiness })}\n`;
  return { code: readiness.ready ? 200 : 503, type: 'application/json', body };
}
