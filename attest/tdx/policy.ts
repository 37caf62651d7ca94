// What owners ask of a trust domain and of the platform under it: reference values and floors, as a JSON
// document. docs/evidence/tdx.md shows one. A value that it does not name is a claim not checked.
import type { Bytes } from '#agent/base/bytes.ts';
import { parsePolicy } from '#attest/boundedJson.ts';
import { z } from 'zod';
import { hexText } from './signedText.ts';
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
  /** Of the TCB info and of the QE identity. */
  min_tcb_evaluation_data_number: z.int().min(0).default(0),
  accept_tcb_status: z.array(z.enum(TCB_STATUSES).exclude(['Revoked'])).default([]),
  allow_debug: z.boolean().default(false),
  /** A migration domain may take the domain elsewhere; mr_service_td says which. */
  allow_migratable: z.boolean().default(false),
});

export type TdxPolicy = z.infer<typeof tdxPolicySchema>;

/** Asks for nothing in particular. */
export const NO_POLICY: TdxPolicy = tdxPolicySchema.parse({ v: 1 });

/** Reads a policy, JSON. Errors: POLICY_INVALID with every problem. */
export const readTdxPolicy = (bytes: Bytes): TdxPolicy =>
  parsePolicy(tdxPolicySchema, bytes, {
    code: 'POLICY_INVALID',
    op: 'evidence.policy',
    what: 'TDX policy',
    hint: 'It is {"v":1,"mr_td":["<hex>"],"accept_tcb_status":["SWHardeningNeeded"]}; docs/evidence/tdx.md describes each field.',
  });
