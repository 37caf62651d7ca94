// The shape of `GET /why`: one chain of causes in order, of which the first broken link is the answer.
// agent/why/ fills it, the CLI reads it.
import { z } from 'zod';

/** The links in the order in which a connection depends on them. */
export const LINK_IDS = [
  'pod',
  'namespace',
  'identity',
  'redirect',
  'data-plane',
  'node',
  'destination',
  'peer',
  'policy',
  'epoch',
  'lane-port',
  'connections',
  'outside',
] as const;

export type LinkId = (typeof LINK_IDS)[number];

const link = z.object({
  id: z.enum(LINK_IDS),
  /** `not-reached`: a link before it is broken. */
  state: z.enum(['holds', 'broken', 'not-reached']),
  /** One sentence: what was found. Empty when not reached. */
  text: z.string(),
});

/** Schema of the whole document. */
export const whySchema = z.object({
  node: z.string(),
  /** As a person would write it. */
  question: z.string(),
  verdict: z.enum(['holds', 'broken']),
  /** The first broken link's sentence, or that every link holds. */
  answer: z.string(),
  /** What to do about it; absent when every link holds. */
  remedy: z.string().optional(),
  links: z.array(link),
});

/** Why a pod is, or is not, carried. */
export type Why = z.infer<typeof whySchema>;
