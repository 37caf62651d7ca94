// The shape of `GET /epochs`: the epoch plane as one node sees it. epochsView.ts fills it, the CLI
// reads it; there is no key in it.
import { z } from 'zod';

const text = z.string();
const count = z.number();

const chain = z.object({
  /** 32 hex digits. */
  id: text,
  generation: count,
  term: count,
  epoch: count,
  /** What its record began: one epoch more, or a generation. */
  begins: z.enum(['epoch', 'heal', 'revoke']),
  /** `<derivation>/<AEAD>` of the CHIPS registry. */
  algorithm: text,
  atSlot: count,
  /** `next` takes effect later; `older` serves peers that have not confirmed a newer one. */
  state: z.enum(['next', 'newest', 'older']),
  /** Milliseconds until it takes effect; absent once it has. */
  inEffectInMs: count.optional(),
  /** Peers that proved they hold it. */
  confirmedBy: z.array(text),
  /** Accepted peers that have not. */
  awaiting: z.array(text),
});

const peer = z.object({
  node: text,
  verdict: z.enum(['affirming', 'warning', 'contraindicated', 'none']),
  /** The chain that new lanes to it use, and how many newer ones are in effect here. */
  sendChain: text.optional(),
  behind: count.optional(),
  /** Why no lane to it can be opened. */
  refused: text.optional(),
  /** Since its last presence. */
  presenceAgeMs: count.optional(),
  clockOffsetMs: count.optional(),
  /** Chains held here that are newer than the newest that it has shown. */
  epochsBehind: count.optional(),
  /** From the slot in which that one was announced until it showed it. */
  lagMs: count.optional(),
});

const event = z.object({
  at: count,
  level: z.enum(['debug', 'info', 'warn', 'error']),
  code: text,
  text,
});

/** How the plane stands; `text` is the sentence for people. */
const state = z.enum(['waiting', 'not-admitted', 'in-step', 'behind', 'outage', 'stale']);

/** Schema of the whole document. */
export const epochsSchema = z.object({
  node: text,
  state,
  text,
  conductor: text.optional(),
  isConductor: z.boolean(),
  term: count,
  generation: count,
  epoch: count,
  slot: count,
  periodMs: count,
  /** Until the next slot. */
  nextSlotInMs: count,
  /** The longest a leak that has ended can stay of use (PROTOCOL G6). */
  healsWithinMs: count,
  /** Newest first. */
  chains: z.array(chain),
  /** Older chains that the list leaves out. */
  chainsLeftOut: count,
  records: z.object({
    accepted: count,
    refused: count,
    /** Since the last that counted; absent before the first. */
    ageMs: count.optional(),
  }),
  bus: z.object({
    connected: z.boolean(),
    server: text.optional(),
    problem: text.optional(),
  }),
  /** Where the conductor's lease is kept, who held it when it was last read, and why it cannot be. */
  lease: z.object({
    kept: z.enum(['bus', 'kubernetes']),
    holder: text.optional(),
    problem: text.optional(),
  }),
  staleness: z.object({
    maxMs: count,
    /** Until lanes can no longer be opened; absent while records come, 0 when it is so far. */
    inMs: count.optional(),
    onStale: z.enum(['closed', 'open-lanes']),
  }),
  peers: z.array(peer),
  /** Since the start. */
  seen: z.object({ slots: count, chains: count, algorithms: z.array(text) }),
  /** The last ones about epochs, peers and the bus, oldest first. */
  events: z.array(event),
});

/** The epoch plane as one node sees it. */
export type Epochs = z.infer<typeof epochsSchema>;
