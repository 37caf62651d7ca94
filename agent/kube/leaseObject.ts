// The lease as an object of the Kubernetes API (coordination.k8s.io/v1, kind Lease) and back. `spec` is for people and
// their tools; term, sid and beat are ours, in annotations: a resourceVersion says nothing about terms, and a time
// there about life. Pure.
import { V1MicroTime, type V1Lease } from '@kubernetes/client-node';
import { z } from 'zod';
import type { LeaseValue, Stored } from '#agent/epochs/lease.ts';
import type { LeaseName } from './faults.ts';

const TERM = 'tidelock.io/term';
const SID = 'tidelock.io/sid';
const BEAT = 'tidelock.io/beat';

const texts = z.record(z.string(), z.string());
/** What is read of a Lease; whatever else it has stays out of what is written back, but for these. */
const schema = z.object({
  metadata: z.object({
    name: z.string(),
    uid: z.string().min(1),
    resourceVersion: z.string().min(1),
    annotations: texts.optional().catch(undefined),
    labels: texts.optional().catch(undefined),
  }),
  spec: z
    .object({
      holderIdentity: z.string().optional().catch(undefined),
      // The client library makes no date of it, whatever its types say.
      acquireTime: z
        .union([z.string(), z.date()])
        .pipe(z.coerce.date())
        .optional()
        .catch(undefined),
      leaseTransitions: z.int().min(0).max(0x7fffffff).optional().catch(undefined),
    })
    .optional(),
});

/** A Lease as the API server keeps it. */
export type KeptLease = z.infer<typeof schema>;

/** What an answer holds. Errors: RangeError when it is not the Lease of this name. */
export function readLeaseObject(answer: unknown, { name }: LeaseName): KeptLease {
  const kept = schema.safeParse(answer).data;
  if (kept?.metadata.name !== name) throw new RangeError('not the Lease that was asked for');
  return kept;
}

/** The lease in it, for lease.ts to judge. */
export function storedIn({ metadata, spec }: KeptLease): Stored & { readonly revision: string } {
  const { annotations = {}, resourceVersion } = metadata;
  const node = spec?.holderIdentity;
  const value = {
    v: 1,
    holder: node ? { node, sid: annotations[SID] } : null,
    term: wholeIn(annotations[TERM]),
    beat: wholeIn(annotations[BEAT]),
  };
  return { value, revision: resourceVersion };
}

const wholeIn = (text: string | undefined): number | undefined =>
  text !== undefined && /^(0|[1-9]\d{0,15})$/.test(text) ? Number(text) : undefined;

export interface LeaseTimes {
  readonly ttlMs: number;
  /** Unix milliseconds. */
  readonly nowMs: number;
}

/** The object that says `value`; in the place of `before`, whose labels and other annotations it keeps. */
export function leaseObject(
  { holder, term, beat }: LeaseValue,
  { namespace, name }: LeaseName,
  before: KeptLease | undefined,
  { ttlMs, nowMs }: LeaseTimes,
): V1Lease {
  const { labels, uid, resourceVersion, annotations } = before?.metadata ?? {};
  const { [SID]: sidBefore, ...others } = annotations ?? {};
  const was = before?.spec;
  const isSame = holder !== null && was?.holderIdentity === holder.node && sidBefore === holder.sid;
  const transitions = was?.leaseTransitions ?? 0;
  const isTaken = before !== undefined && holder !== null && was?.holderIdentity !== holder.node;
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: {
      name,
      namespace,
      // Both are preconditions: written is only what was read, and not another of the same name.
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      labels: { ...labels, 'app.kubernetes.io/part-of': 'tidelock' },
      annotations: {
        ...others,
        [TERM]: String(term),
        [BEAT]: String(beat),
        ...(holder ? { [SID]: holder.sid } : {}),
      },
    },
    spec: {
      holderIdentity: holder?.node ?? '',
      leaseDurationSeconds: Math.max(1, Math.ceil(ttlMs / 1000)),
      acquireTime: new V1MicroTime(isSame ? (was?.acquireTime?.getTime() ?? nowMs) : nowMs),
      renewTime: new V1MicroTime(nowMs),
      leaseTransitions: Math.min(0x7fffffff, transitions + (isTaken ? 1 : 0)),
    },
  };
}
