// Where things are on the bus (PROTOCOL 3.7): subjects, streams and buckets of a cluster, and how long messages are.
import type { NodeName } from '#agent/base/brands.ts';
import { base32hex, utf8 } from '#agent/base/bytes.ts';

export interface Subjects {
  readonly record: string;
  sealed(node: NodeName): string;
  presence(node: NodeName): string;
  workloads(node: NodeName): string;
  join(node: NodeName): string;
  revocation(node: NodeName): string;
  readonly sealedAll: string;
  readonly every: {
    readonly presence: string;
    readonly workloads: string;
    readonly join: string;
    readonly revocation: string;
  };
  readonly streams: {
    readonly record: string;
    readonly sealed: string;
    readonly presence: string;
    readonly workloads: string;
    readonly revocation: string;
  };
  readonly buckets: { readonly roster: string; readonly enrolment: string; readonly lease: string };
}

/** The longest message of each kind that an honest node sends, with room to spare; longer ones are not read. */
export const MESSAGE_BYTES = {
  record: 32 << 10,
  sealed: 512 << 10,
  presence: 16 << 10,
  workloads: 512 << 10,
  revocation: 16 << 10,
} as const;

/** `N` of PROTOCOL 3.7: a node name may contain dots, a subject token may not. */
export const nodeToken = (node: NodeName): string => base32hex(utf8(node));

export function subjectsOf(cluster: string): Subjects {
  const at = (name: string): string => `tl.${cluster}.${name}`;
  return {
    record: at('record'),
    sealed: (node) => at(`sealed.${nodeToken(node)}`),
    presence: (node) => at(`presence.${nodeToken(node)}`),
    workloads: (node) => at(`workloads.${nodeToken(node)}`),
    join: (node) => at(`join.${nodeToken(node)}`),
    revocation: (node) => at(`revocation.${nodeToken(node)}`),
    sealedAll: at('sealed.*'),
    every: {
      presence: at('presence.*'),
      workloads: at('workloads.*'),
      join: at('join.*'),
      revocation: at('revocation.*'),
    },
    streams: {
      record: `TL_${cluster}_RECORD`,
      sealed: `TL_${cluster}_SEALED`,
      presence: `TL_${cluster}_PRESENCE`,
      workloads: `TL_${cluster}_WORKLOADS`,
      revocation: `TL_${cluster}_REVOCATION`,
    },
    buckets: {
      roster: `tl_${cluster}_roster`,
      enrolment: `tl_${cluster}_enrolment`,
      lease: `tl_${cluster}_lease`,
    },
  };
}
