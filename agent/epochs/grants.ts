// What the bus lets one node do (PROTOCOL 3.7): say what is its own, conduct if it is elected, hear what
// everybody may hear, and read of what is sealed its own alone. Whoever has stolen a node's credentials is held to
// these; what it says is judged by its signature as ever. Pure.
import { LEASE_KEY } from './busLease.ts';
import type { Subjects } from './subjects.ts';

/** Subjects, with NATS wildcards. */
export interface Grants {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

/** Where answers to a node's requests arrive: `self` as in grantsOf(). */
export const inboxOf = (self: string): string => `_INBOX.${self}`;

/**
 * `self` stands for the node wherever it is named: its nodeToken(), or what a server puts that in place of. Nobody may
 * delete, purge or change a stream.
 */
export function grantsOf(
  { record, sealedAll, every, streams, buckets }: Subjects,
  self: string,
): Grants {
  const own = (all: string): string => all.replace(/\*$/u, self);
  const toSelf = (all: string): string => all.replace('*', self);
  const { sealed, ...readable } = streams;
  const { meet, enrol, address, ...broadcast } = every;
  const kept = Object.values(buckets).map((bucket) => `KV_${bucket}`);
  return {
    publish: [
      ...[every.presence, every.workloads, every.join, meet, enrol, address].map(own),
      every.revocation, // an owner's word counts whoever brings it
      // Of whoever conducts, and any node may come to.
      record,
      sealedAll,
      `$KV.${buckets.lease}.${LEASE_KEY}`,
      ...['index', 'change', 'entry'].map((keys) => `$KV.${buckets.roster}.${keys}.>`),
      `$KV.${buckets.roster}.evidence.${self}.>`,
      `$KV.${buckets.enrolment}.${self}`,
      '$JS.API.INFO',
      ...[...Object.values(streams), ...kept].flatMap((stream) => [
        `$JS.API.STREAM.INFO.${stream}`,
        `$JS.API.STREAM.CREATE.${stream}`, // a bus that has lost its data gets them back from any agent
      ]),
      ...[...Object.values(readable), ...kept].flatMap((stream) => [
        `$JS.API.STREAM.MSG.GET.${stream}`,
        `$JS.API.DIRECT.GET.${stream}.>`,
      ]),
      `$JS.API.DIRECT.GET.${sealed}.${own(sealedAll)}`,
      // How `doctor` learns the time of servers before 2.10.
      ...['CREATE', 'DELETE'].flatMap((verb) => [
        `$JS.API.CONSUMER.${verb}.${streams.presence}`,
        `$JS.API.CONSUMER.${verb}.${streams.presence}.>`,
      ]),
    ],
    subscribe: [
      record,
      ...Object.values(broadcast),
      ...[meet, enrol].map(toSelf),
      own(sealedAll),
      `${inboxOf(self)}.>`,
    ],
  };
}
