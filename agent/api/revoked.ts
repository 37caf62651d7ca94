// What `POST /revocations` answers: what came of a revocation that an owner gave to this agent.
import { z } from 'zod';
import { revocationSchema } from '#attest/revocation.ts';

export const revokedSchema = z.object({
  revocation: revocationSchema,
  /** False: one of that node as new was known, and nothing was changed. */
  isNews: z.boolean(),
  wasMember: z.boolean(),
  /** The node was enrolled later than that, unix milliseconds: nothing was cut. */
  outlivedBy: z.number().optional(),
  /** The bus has it. */
  isPublished: z.boolean(),
});

export type Revoked = z.infer<typeof revokedSchema>;
