// Where things are on the bus (PROTOCOL 3.7): subjects, streams and buckets of a cluster, and how long messages are.
import type { NodeName } from '#agent/base/brands.ts';
import { base32hex, fromBase32hex, utf8 } from '#agent/base/bytes.ts';
import { nodeName } from '#agent/base/schema.ts';

export interface Subjects {
  readonly record: string;
  sealed(node: NodeName): string;
  presence(node: NodeName): string;
  workloads(node: NodeName): string;
  join(node: NodeName): string;
  revocation(node: NodeName): string;
  /** On which `from` asks a node to follow it (meeting.ts). */
  meet(node: NodeName, from: NodeName): string;
  /** The same, whoever asks. */
  meetOfAny(node: NodeName): string;
  /** On which `from` asks a node to endorse its enrolment (endorser.ts). */
  enrol(node: NodeName, from: NodeName): string;
  /** The same, whoever asks. */
  enrolOfAny(node: NodeName): string;
  /** On which a node says that it has a pod at an address. */
  address(address: string, node: NodeName): string;
  /** The same of whatever node. */
  addressOfAny(address: string): string;
  readonly sealedAll: string;
  readonly every: {
    readonly presence: string;
    readonly workloads: string;
    readonly join: string;
    readonly revocation: string;
    readonly meet: string;
    readonly enrol: string;
    readonly address: string;
  };
  readonly streams: {
    readonly record: string;
    readonly sealed: string;
    readonly presence: string;
    readonly workloads: string;
    readonly revocation: string;
    readonly address: string;
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

/** The node whose nodeToken() `token` is, if it is any's. */
const nodeOfToken = (token: string): NodeName | undefined =>
  nodeName.safeParse(fromBase32hex(token)?.toString()).data;

/** The node that may speak on `subject`, one of those that end in the speaker's token. */
export const speakerOn = (subject: string): NodeName | undefined =>
  nodeOfToken(subject.slice(subject.lastIndexOf('.') + 1));

/** The subject under which the bus keeps the enrolment of a node, or with `>` those of all. */
export const enrolmentSubject = ({ buckets }: Subjects, key: string): string =>
  `$KV.${buckets.enrolment}.${key}`;

/** The stream that keeps them. */
export const enrolmentStream = ({ buckets }: Subjects): string => `KV_${buckets.enrolment}`;

/** `A` of PROTOCOL 3.7: a pod's address, in its one form. */
export const addressToken = (address: string): string => base32hex(utf8(address));

export function subjectsOf(cluster: string): Subjects {
  const at = (name: string): string => `tl.${cluster}.${name}`;
  return {
    record: at('record'),
    sealed: (node) => at(`sealed.${nodeToken(node)}`),
    presence: (node) => at(`presence.${nodeToken(node)}`),
    workloads: (node) => at(`workloads.${nodeToken(node)}`),
    join: (node) => at(`join.${nodeToken(node)}`),
    revocation: (node) => at(`revocation.${nodeToken(node)}`),
    meet: (node, from) => at(`meet.${nodeToken(node)}.${nodeToken(from)}`),
    meetOfAny: (node) => at(`meet.${nodeToken(node)}.*`),
    enrol: (node, from) => at(`enrol.${nodeToken(node)}.${nodeToken(from)}`),
    enrolOfAny: (node) => at(`enrol.${nodeToken(node)}.*`),
    address: (address, node) => at(`address.${addressToken(address)}.${nodeToken(node)}`),
    addressOfAny: (address) => at(`address.${addressToken(address)}.*`),
    sealedAll: at('sealed.*'),
    every: {
      presence: at('presence.*'),
      workloads: at('workloads.*'),
      join: at('join.*'),
      revocation: at('revocation.*'),
      meet: at('meet.*.*'),
      enrol: at('enrol.*.*'),
      address: at('address.*.*'),
    },
    streams: {
      record: `TL_${cluster}_RECORD`,
      sealed: `TL_${cluster}_SEALED`,
      presence: `TL_${cluster}_PRESENCE`,
      workloads: `TL_${cluster}_WORKLOADS`,
      revocation: `TL_${cluster}_REVOCATION`,
      address: `TL_${cluster}_ADDRESS`,
    },
    buckets: {
      roster: `tl_${cluster}_roster`,
      enrolment: `tl_${cluster}_enrolment`,
      lease: `tl_${cluster}_lease`,
    },
  };
}
