// What the clients of the soak that are ours say on standard output, one JSON document a line: the times
// of answers that were right, or a failure with the connection that it was seen on.
import { z } from 'zod';

const answers = z.object({ tookMs: z.array(z.number()) });
const failure = z.object({
  /** Wall time in ms. */
  at: z.number(),
  connection: z.string(),
  openedAt: z.number(),
  what: z.string(),
});

/** One line of a client. */
export const said = z.union([answers, failure]);
export type Said = z.infer<typeof said>;
