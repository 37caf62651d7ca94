// The shape of `GET /lanes`: the live connections of one node, its totals, and what was refused. The
// view fills it, the CLI reads it.
import { z } from 'zod';

const text = z.string();
const count = z.number();

const lane = z.object({
  /** No other live connection of this data plane has it. */
  id: text,
  /** `local`: within the node; `out` without a peer: to a destination without an agent. */
  direction: z.enum(['out', 'in', 'local']),
  /** `namespace/name` of the pod of this node, or its uid once it has left the inventory. */
  pod: text.optional(),
  /** SPIFFE IDs. */
  from: text.optional(),
  to: text.optional(),
  /** The program that connects, `address:port`; of a lane from another node as that node says. */
  client: text.optional(),
  /** As the program asked for it, `address:port`. */
  destination: text.optional(),
  /** Where that leads if it is the address of a service. */
  endpoint: text.optional(),
  peer: text.optional(),
  rule: text,
  /** Unix milliseconds. */
  openedAt: count,
  ageMs: count,
  /** The application's bytes. */
  bytesOut: count,
  bytesIn: count,
  /** What this end seals under now; absent where there is no lane. */
  chain: text.optional(),
  aead: text.optional(),
  keyUpdates: count,
});

/** Schema of the whole document. */
export const lanesSchema = z.object({
  node: text,
  /** What was asked for. */
  filter: z.object({ pod: text.optional(), peer: text.optional() }),
  /** What is odd about the filter. */
  note: text.optional(),
  /** Oldest first. */
  lanes: z.array(lane),
  /** Live connections that were not looked at: a listing is bounded. */
  omitted: count,
  /** Workers of the data plane that did not answer in time: of theirs nothing is known. */
  silentWorkers: count,
  /** Data planes of another build that only drain: their connections are not listed. */
  draining: count,
  /** Since the agent started, of all connections; `active` of this moment. */
  totals: z.object({
    active: count,
    openedOut: count,
    openedIn: count,
    sameNode: count,
    plainOut: count,
    bytesOut: count,
    bytesIn: count,
    keyUpdates: count,
  }),
  /** By reason; those that never happened are left out. */
  refused: z.record(text, count),
});

/** The live connections of one node. */
export type Lanes = z.infer<typeof lanesSchema>;
