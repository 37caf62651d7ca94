// What owners ask of a trust domain and of the platform under it: reference values and floors, as a JSON
// document. docs/evidence/tdx.md shows one. A value that it does not name is a claim not checked.
import { problemsOf } from '#agent/base/schema.ts';
import { malformed } from '#attest/cursor.ts';
import { z } from 'zod';
import { hexText, parseJson } from './signedText.ts';
import { TCB_STATUSES } from './tcbStatus.ts';

/** A policy of some hundred alternatives is far below it. */
export const MAX_POLICY_BYTES = 1 << 20;

const oneOf = (lenBytes: number): z.ZodOptional<z.ZodArray<z.ZodType<string>>> =>
  z.array(hexText(lenBytes)).min(1).max(1000).optional();
const register = oneOf(48);
const bits = z.strictObject({ mask: hexText(8), value: hexText(8) }).optional();

export const tdxPolicySchema = z.strictObject({
  v: z.literal(1),
  mr_td: register,
  rtmr0: register,
  rtmr1: register,
  rtmr2: register,
  rtmr3: register,
  mr_seam: register,
  mr_config_id: register,
  mr_owner: register,
  mr_owner_config: register,
  mr_service_td: register,
  report_data: oneOf(64),
  td_attributes: bits,
  xfam: bits,
  /** Each of the 16 SVNs must be at least this. */
  min_tee_tcb_svn: hexText(16).optional(),
  min_tcb_evaluation_data_number: z.int().min(0).default(0),
  accept_tcb_status: z.array(z.enum(TCB_STATUSES).exclude(['Revoked'])).default([]),
  allow_debug: z.boolean().default(false),
});

export type TdxPolicy = z.infer<typeof tdxPolicySchema>;

/** Asks for nothing in particular. */
export const NO_POLICY: TdxPolicy = tdxPolicySchema.parse({ v: 1 });

/** Errors: EVIDENCE_MALFORMED, with every problem. */
export function parseTdxPolicy(text: string): TdxPolicy {
  const what = 'TDX policy';
  const read = tdxPolicySchema.safeParse(parseJson(text, what));
  if (read.success) return read.data;
  throw malformed(what, problemsOf(read.error).join('; '));
}
