// What a reader asks of an SNP guest and of the platform under it: reference values, floors and flags. It
// is read here and applied in guest.ts and reference.ts.
import type { Bytes } from '#agent/base/bytes.ts';
import { parsePolicy } from '#attest/boundedJson.ts';
import { z } from 'zod';
import { SNP_PRODUCTS } from './product.ts';

/** Any one of the values listed is accepted. */
const oneOf = (lenBytes: number) =>
  z
    .array(
      z
        .string()
        .regex(
          new RegExp(`^[0-9a-f]{${lenBytes * 2}}$`),
          `must be ${lenBytes} bytes in lower-case hex`,
        ),
    )
    .min(1)
    .max(256)
    .optional();

const level = z.int().min(0).max(255).optional();
const tcbFloor = z
  .strictObject({
    fmc: level,
    boot_loader: level,
    tee: level,
    snp: level,
    microcode: level,
  })
  .refine(
    (floor) => Object.keys(floor).length > 0,
    'names no component, so that any TCB reaches it',
  );

/** The policy of a reader, as it is written; flags that are left out have their defaults. */
export const snpPolicySchema = z.strictObject({
  v: z.literal(1),
  /** SHA-256 of root certificates that are trusted besides AMD's own. */
  roots: oneOf(32),
  products: z.array(z.enum(SNP_PRODUCTS)).min(1).optional(),
  measurement: oneOf(48),
  report_data: oneOf(64),
  host_data: oneOf(32),
  family_id: oneOf(16),
  image_id: oneOf(16),
  id_key_digest: oneOf(48),
  author_key_digest: oneOf(48),
  chip_id: oneOf(64),
  /** Floor for the reported TCB, component by component. */
  min_tcb: tcbFloor.optional(),
  /** Floor for the TCB at launch. */
  min_launch_tcb: tcbFloor.optional(),
  /** Floor for the firmware that runs, `1.55.21`. */
  min_firmware: z
    .string()
    .regex(/^\d{1,3}\.\d{1,3}\.\d{1,3}$/, 'must be major.minor.build')
    .optional(),
  /** Bits of the mitigation vector that must be set at launch and now; version 5 alone has it. */
  required_mit_vector: z
    .string()
    .regex(/^0x[0-9a-f]{1,16}$/, 'must be 0x and up to 16 hex digits')
    .optional(),
  min_guest_svn: z.int().min(0).max(0xffff_ffff).optional(),
  /** The least privileged level that may speak; 0 is the most privileged. */
  max_vmpl: z.int().min(0).max(3).optional(),
  allow_debug: z.boolean().default(false),
  allow_migrate_ma: z.boolean().default(false),
  allow_smt: z.boolean().default(true),
  /** Firmware that runs, but that the host has not committed to and can still roll back. */
  allow_provisional_firmware: z.boolean().default(true),
  require_single_socket: z.boolean().default(false),
  require_ciphertext_hiding: z.boolean().default(false),
  require_mem_aes_256_xts: z.boolean().default(false),
  require_rapl_dis: z.boolean().default(false),
  require_page_swap_disable: z.boolean().default(false),
  /** Memory was checked for aliases since the last reset (AMD-SB-3015). */
  require_alias_check: z.boolean().default(false),
});

export type SnpPolicy = z.infer<typeof snpPolicySchema>;

/** What holds without a policy: genuine hardware, no debugging, no migration agent. */
export const NO_SNP_POLICY: SnpPolicy = snpPolicySchema.parse({ v: 1 });

/** Reads a policy, JSON. Errors: POLICY_INVALID with every problem. */
export const readSnpPolicy = (bytes: Bytes): SnpPolicy =>
  parsePolicy(snpPolicySchema, bytes, {
    code: 'POLICY_INVALID',
    op: 'evidence.policy',
    what: 'SNP policy',
    hint: 'It is {"v":1,"measurement":["<hex>"],"min_tcb":{"snp":8}}; docs/evidence/snp.md describes each field.',
  });
