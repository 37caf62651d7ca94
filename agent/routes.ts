// What the control socket answers, by route: one for each verb that asks a running agent. Every answer
// is read from the agent's parts at that moment; nothing is decided or changed here.
import type { Routes } from '#agent/api/control.ts';
import { epochsOf } from './epochsView.ts';
import { answerLanes } from './lanesView.ts';
import type { Reporting } from './reporting.ts';
import { statusOf, type StatusSources } from './statusView.ts';
import { answerWhy, type WhySources } from '#agent/why/gather.ts';

export interface RouteSources extends StatusSources, Omit<WhySources, keyof StatusSources> {
  readonly reporting: Pick<Reporting, 'answer'>;
}

export const routesOf = (from: RouteSources): Routes => ({
  'GET /status': () => ({ apiVersion: 'tidelock/v1', kind: 'Status', ...statusOf(from) }),
  'GET /epochs': () => epochsOf(from),
  'GET /lanes': (query) => answerLanes(from, query),
  'GET /why': (query) => answerWhy(from, query),
  'GET /report': () => from.reporting.answer(),
});
