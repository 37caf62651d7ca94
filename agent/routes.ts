// What the control socket answers, by route: one for each verb that asks a running agent. Every answer
// is read from the agent's parts at that moment; nothing is decided here.
import type { Routes } from '#agent/api/control.ts';
import type { Inventory } from '#agent/inventory/inventory.ts';
import { epochsOf } from './epochsView.ts';
import { answerLanes } from './lanesView.ts';
import type { Reporting } from './reporting.ts';
import type { Health } from '#agent/health/health.ts';
import { processUse } from '#agent/metrics/processes.ts';
import { statusOf, type StatusSources } from './statusView.ts';
import { answerWhy, type WhySources } from '#agent/why/gather.ts';

export interface RouteSources extends StatusSources, Omit<WhySources, keyof StatusSources> {
  readonly inventory: Inventory;
  readonly reporting: Pick<Reporting, 'answer'>;
  readonly health: Pick<Health, 'readiness'>;
}

export const routesOf = (from: RouteSources): Routes => ({
  'GET /status': async () => {
    const status = statusOf(from);
    const readiness = from.health.readiness(status);
    const { pid } = status.dataPlane;
    const [control, data] = await Promise.all([process.pid, pid].map(processUse));
    return {
      apiVersion: 'tidelock/v1',
      kind: 'Status',
      ...status,
      ...(readiness && { readiness }),
      processes: { ...(control && { control }), ...(data && { data }) },
    };
  },
  'GET /epochs': () => epochsOf(from),
  'GET /lanes': (query) => answerLanes(from, query),
  'GET /why': (query) => answerWhy(from, query),
  'GET /report': () => from.reporting.answer(),
  'POST /revocations': (_query, document) => from.plane.revoke(document),
});
