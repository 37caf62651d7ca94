// The streams and buckets of a cluster on the bus (ARCHITECTURE, decisions), each with its limits:
// nothing an outsider publishes grows without bound.
import { DiscardPolicy, StorageType, type StreamConfig } from '@nats-io/jetstream';
import type { BusOptions } from './bus.ts';
import type { Subjects } from './subjects.ts';

const MAX_MESSAGE_BYTES = 1 << 20;
/** A node's name of 253 bytes, its statement and two numbers, with room to spare. */
const LEASE_BYTES = 4 << 10;
/** `{"v":1}` says it all. */
const ADDRESS_BYTES = 1 << 10;
/** What JetStream sets aside for each stream; together 576 MiB. */
const STREAM_BYTES = {
  record: 32 << 20,
  sealed: 192 << 20,
  presence: 64 << 20,
  workloads: 192 << 20,
  revocation: 32 << 20,
  address: 64 << 20,
};
/**
 * And for each bucket. Of the roster what was entered within twice maxStaleness, or the newest of it where there is
 * more: evidence of 5,000 nodes that renew every ten minutes fills it in about an hour and a half.
 */
const BUCKET_BYTES = { roster: 1024 << 20, enrolment: 128 << 20, lease: 1 << 20 };

/** What one server needs for all of it. */
export const STORAGE_BYTES = [STREAM_BYTES, BUCKET_BYTES]
  .flatMap(Object.values<number>)
  .reduce((all, each) => all + each, 0);

/** NATS counts durations in nanoseconds. */
const NANOS_PER_MS = 1_000_000;

export function busLayout(
  { record, every, streams, buckets, sealedAll }: Subjects,
  maxStalenessMs: number,
  replicas: number,
): Pick<BusOptions, 'streams' | 'buckets'> {
  const limits = {
    discard: DiscardPolicy.Old,
    storage: StorageType.File,
    max_msg_size: MAX_MESSAGE_BYTES,
    num_replicas: replicas,
    // The newest of one subject can be read, and allowed, by its subject.
    allow_direct: true,
  };
  // As NATS makes a bucket, but that no message can take others along (`Nats-Rollup`): that is not a node's to do.
  const bucket = (name: string, bytes: number, more: Partial<StreamConfig> = {}) => ({
    name,
    stream: {
      ...limits,
      name: `KV_${name}`,
      subjects: [`$KV.${name}.>`],
      max_msgs_per_subject: 1,
      max_bytes: bytes,
      discard: DiscardPolicy.New,
      allow_rollup_hdrs: false,
      ...more,
    },
  });
  const keptMs = 2 * maxStalenessMs;
  return {
    streams: [
      {
        ...limits,
        name: streams.record,
        subjects: [record],
        max_age: keptMs * NANOS_PER_MS,
        max_bytes: STREAM_BYTES.record,
      },
      {
        ...limits,
        name: streams.sealed,
        subjects: [sealedAll],
        max_bytes: STREAM_BYTES.sealed,
        max_msgs_per_subject: 4,
      },
      {
        ...limits,
        name: streams.presence,
        subjects: [every.presence],
        max_bytes: STREAM_BYTES.presence,
        max_msgs_per_subject: 1,
      },
      {
        ...limits,
        name: streams.workloads,
        subjects: [every.workloads],
        max_bytes: STREAM_BYTES.workloads,
        max_msgs_per_subject: 1,
      },
      {
        ...limits,
        name: streams.revocation,
        subjects: [every.revocation],
        max_bytes: STREAM_BYTES.revocation,
        max_msgs_per_subject: 1,
      },
      {
        ...limits,
        name: streams.address,
        subjects: [every.address],
        max_age: keptMs * NANOS_PER_MS,
        max_bytes: STREAM_BYTES.address,
        max_msg_size: ADDRESS_BYTES,
        max_msgs_per_subject: 1,
      },
    ],
    buckets: [
      bucket(buckets.roster, BUCKET_BYTES.roster, {
        max_age: keptMs * NANOS_PER_MS,
        discard: DiscardPolicy.Old, // a full one would let nobody renew
      }),
      bucket(buckets.enrolment, BUCKET_BYTES.enrolment),
      bucket(buckets.lease, BUCKET_BYTES.lease, { max_msg_size: LEASE_BYTES }),
    ],
  };
}
