// What a reader asks of a Nitro enclave or of an instance with a NitroTPM: which values its registers may
// have, and whether an enclave may be in debug mode. It is read, not judged, here.
import type { Bytes } from '#agent/base/bytes.ts';
import { parsePolicy } from '#attest/boundedJson.ts';
import { z } from 'zod';

const register = z
  .string()
  .regex(/^(?:[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})$/, 'must be a digest in lower-case hex');

/** Index to the values that are accepted, each a SHA-384 digest in hex. */
const registers = z
  .partialRecord(z.string().regex(/^(?:[12]?\d|3[01])$/), z.array(register).min(1).max(64))
  .default({});

const nitroPolicySchema = z.strictObject({
  v: z.literal(1),
  /** Of an enclave, which cannot change what it was started from. */
  pcrs: registers,
  /** Of an instance, whose root extends registers to any value that nothing was measured into. */
  nitrotpm_pcrs: registers,
  /** A debug enclave has no confidential memory and no measurements. */
  allow_debug: z.boolean().default(false),
});

export type NitroPolicy = z.infer<typeof nitroPolicySchema>;

/** Reads a policy, JSON. Errors: POLICY_INVALID with every problem. */
export const readNitroPolicy = (bytes: Bytes): NitroPolicy =>
  parsePolicy(nitroPolicySchema, bytes, {
    code: 'POLICY_INVALID',
    op: 'evidence.policy',
    what: 'Nitro policy',
    hint: 'It is {"v":1,"pcrs":{"0":["<hex>"]},"nitrotpm_pcrs":{"4":["<hex>"]},"allow_debug":false}; docs/evidence/nitro.md describes each field.',
  });
