// What the privileged side makes of a message of the data plane, which it does not trust: every length and
// every number is bounded. A data plane may be of the version before or after this one, so that what it
// says beyond what is known here is left aside, and not held against it.
import { z } from 'zod';
import { chainId, nodeName, problemsOf, spiffeId } from '#agent/base/schema.ts';
import { TidelockError } from '#agent/base/errors.ts';
import { AEADS, type AeadName } from '#proxy/chips/registry.ts';
import { canonicalAddress } from '#proxy/see/address.ts';
import { LANES_PER_PAGE, MAX_PEERS_USED, MAX_SOCKETS, type DataMessage } from './control.ts';
import { CLOSES, COUNTERS_LAYOUT, REFUSALS } from './counters.ts';
import type { LaneEvent, LaneInfo } from './facts.ts';

const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const podUid = z.string().min(1).max(128);
const short = z.string().max(200);
const worker = count.max(COUNTERS_LAYOUT.maxWorkers - 1);
/** RFC 5952: the longest has 39 characters. */
const address = z
  .string()
  .max(39)
  .refine((text) => canonicalAddress(text) === text, 'must be an address in its one form');

const facts = {
  direction: z.enum(['out', 'in', 'local']),
  podUid: z.string().min(1).max(128).optional(),
  peer: nodeName.optional(),
  from: spiffeId.optional(),
  to: spiffeId.optional(),
  client: short.optional(),
  destination: short.optional(),
  endpoint: short.optional(),
};
const carried = {
  id: z.string().regex(/^\d{1,3}\.\d{1,16}$/),
  rule: short,
  bytesOut: count,
  bytesIn: count,
  keyUpdates: count,
};

const laneInfo: z.ZodType<LaneInfo> = z.object({
  ...facts,
  ...carried,
  openedAt: count,
  chain: chainId.optional(),
  aead: z.enum(Object.keys(AEADS) as AeadName[]).optional(),
});

const laneEvent: z.ZodType<LaneEvent> = z.discriminatedUnion('kind', [
  z.object({
    ...facts,
    ...carried,
    at: count,
    kind: z.literal('closed'),
    reason: z.enum(CLOSES),
    detail: short.optional(),
    durationMs: count,
  }),
  z.object({
    ...facts,
    at: count,
    kind: z.literal('refused'),
    reason: z.enum(REFUSALS),
    detail: short.optional(),
  }),
]);

const dataMessage: z.ZodType<DataMessage> = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('hello'),
    version: count,
    workers: count.max(COUNTERS_LAYOUT.maxWorkers),
    spares: count.max(COUNTERS_LAYOUT.maxWorkers).default(0),
  }),
  z.object({ type: z.literal('ack'), version: count }),
  z.object({
    type: z.literal('poolLow'),
    worker,
    podUid,
    family: z.union([z.literal(4), z.literal(6)]),
    want: count.min(1).max(MAX_SOCKETS),
  }),
  z.object({ type: z.literal('whereIs'), id: count, worker, address }),
  z.object({ type: z.literal('using'), peers: z.array(nodeName).min(1).max(MAX_PEERS_USED) }),
  z.object({ type: z.literal('event'), event: laneEvent, dropped: count }),
  z.object({
    type: z.literal('lanes'),
    id: count,
    lanes: z.array(laneInfo).max(LANES_PER_PAGE),
    live: count,
    next: count.optional(),
  }),
  z.object({
    type: z.literal('canary'),
    id: count,
    failed: z.string().max(200).optional(),
    tookMs: count,
  }),
  z.object({ type: z.literal('asymmetric'), total: count, tokens: count }),
  z.object({
    type: z.literal('workerLost'),
    worker,
    why: short,
    working: count.max(COUNTERS_LAYOUT.maxWorkers),
    spares: count.max(COUNTERS_LAYOUT.maxWorkers),
  }),
]);

/** By these it is known what a message is about. */
const kind = z.object({
  type: z.string(),
  event: z.object({ kind: z.string(), reason: z.string() }).optional(),
});
const TYPES = new Set<DataMessage['type']>([
  'hello',
  'ack',
  'poolLow',
  'whereIs',
  'using',
  'event',
  'lanes',
  'canary',
  'asymmetric',
  'workerLost',
]);
const REASONS: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ['closed', new Set<string>(CLOSES)],
  ['refused', new Set<string>(REFUSALS)],
]);

/**
 * The message that a decoded frame is; undefined: one of another version, of which nothing is known here.
 * Errors: CONTROL_MALFORMED.
 */
export function readDataMessage(value: unknown): DataMessage | undefined {
  const about = kind.safeParse(value);
  if (!about.success) throw malformedMessage(problemsOf(about.error).join('; '));
  const { type, event } = about.data;
  if (!(TYPES as ReadonlySet<string>).has(type)) return undefined;
  if (event !== undefined && REASONS.get(event.kind)?.has(event.reason) !== true) return undefined;
  const parsed = dataMessage.safeParse(value);
  if (parsed.success) return parsed.data;
  throw malformedMessage(problemsOf(parsed.error).join('; '));
}

/** What a data plane said that it must not. */
export const malformedMessage = (state: string): TidelockError =>
  new TidelockError('CONTROL_MALFORMED', {
    op: 'plane.message',
    message: `Cannot read message of the data plane: ${state}`,
    hint: 'It is of another version or was taken over; it is ended and started anew.',
  });
