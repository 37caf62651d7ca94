// The kind Lease (coordination.k8s.io/v1) of the stand-in: what a real API server refuses of one
// (pkg/apis/coordination/validation, pkg/registry/coordination/lease).
import type { Kind } from './objects.ts';
import type { Problem } from './statuses.ts';

/** metav1.MicroTime: six digits, no more and no less. */
const MICRO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)$/;

const specOf = (object: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  (object['spec'] ?? {}) as Readonly<Record<string, unknown>>;

export const LEASES: Kind = {
  resource: { group: 'coordination.k8s.io', plural: 'leases' },
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  allowCreateOnUpdate: true,
  undecodable: (object) => {
    const spec = specOf(object);
    for (const member of ['acquireTime', 'renewTime']) {
      const time = spec[member];
      if (time !== undefined && !(typeof time === 'string' && MICRO_TIME.test(time))) {
        return `parsing time ${JSON.stringify(time)} as "2006-01-02T15:04:05.000000Z07:00"`;
      }
    }
    for (const member of ['leaseDurationSeconds', 'leaseTransitions']) {
      const count = spec[member];
      if (count !== undefined && !(Number.isInteger(count) && Math.abs(Number(count)) < 2 ** 31)) {
        return `json: cannot unmarshal into Go struct field LeaseSpec.spec.${member} of type int32`;
      }
    }
    const { holderIdentity } = spec;
    return holderIdentity === undefined || typeof holderIdentity === 'string'
      ? undefined
      : 'json: cannot unmarshal into Go struct field LeaseSpec.spec.holderIdentity of type string';
  },
  problems: (object) => {
    const { leaseDurationSeconds, leaseTransitions } = specOf(object);
    const problems: Problem[] = [];
    const add = (member: string, value: unknown, must: string): void => {
      problems.push({
        field: `spec.${member}`,
        message: `Invalid value: ${String(value)}: ${must}`,
      });
    };
    if (typeof leaseDurationSeconds === 'number' && leaseDurationSeconds <= 0) {
      add('leaseDurationSeconds', leaseDurationSeconds, 'must be greater than 0');
    }
    if (typeof leaseTransitions === 'number' && leaseTransitions < 0) {
      add('leaseTransitions', leaseTransitions, 'must be greater than or equal to 0');
    }
    return problems;
  },
};
