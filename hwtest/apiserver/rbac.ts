// Who may do what at the stand-in: the rules of Roles, judged as a real API server judges them for one object
// (rbac.authorization.k8s.io/v1). Pure.
import type { Attempt } from './statuses.ts';

/** A rule of a Role. */
export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

const has = (list: readonly string[], word: string): boolean =>
  list.includes(word) || list.includes('*');

/** Whether one of `rules` allows it; a rule with names never allows to create, which has none yet. */
export const allows = (
  rules: readonly Rule[],
  { verb, resource, name }: Pick<Attempt, 'verb' | 'resource' | 'name'>,
): boolean =>
  rules.some(
    ({ apiGroups, resources, resourceNames = [], verbs }) =>
      has(verbs, verb) &&
      has(apiGroups, resource.group) &&
      has(resources, resource.plural) &&
      (resourceNames.length === 0 || resourceNames.includes(name)),
  );
