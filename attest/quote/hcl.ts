// The report of a paravisor on Azure (HCL): a hardware report that binds runtime data, and in that data
// the attestation key of the virtual TPM. It reads; whether the hardware report holds is for others.
import { hash } from 'node:crypto';
import { equal, type Bytes } from '#agent/base/bytes.ts';
import { parseAs } from '#agent/base/schema.ts';
import { Cursor, malformed } from '#attest/cursor.ts';
import { SNP_REPORT_BYTES } from '#attest/snp/report.ts';
import type { HashName } from '#attest/tpm/algorithms.ts';
import { z } from 'zod';
import { jwkKey, type AttestationKey } from './key.ts';

const WHAT = 'HCL report';
const MAGIC = Buffer.from('HCLA', 'latin1');
const HEADER_BYTES = 32;

/** Kinds of hardware report, and where each keeps the 64 bytes that the guest chose. */
const KINDS: ReadonlyMap<number, { readonly kind: 'SNP' | 'TDX'; readonly reportDataAt: number }> =
  new Map([
    [2, { kind: 'SNP', reportDataAt: 80 }], // AMD 56860 table 23
    [4, { kind: 'TDX', reportDataAt: 128 }], // Intel TDX module ABI, REPORTMACSTRUCT
  ]);
const REPORT_DATA_BYTES = 64;
const HASHES: ReadonlyMap<number, HashName> = new Map([
  [1, 'sha256'],
  [2, 'sha384'],
  [3, 'sha512'],
]);
/** The key of the virtual TPM among those of the runtime data. */
const AK_ID = 'HCLAkPub';

export interface HclReport {
  readonly kind: 'SNP' | 'TDX';
  /** SNP report or TDREPORT. */
  readonly hardware: Buffer;
  /** What the guest had the hardware report be over, 64 bytes. */
  readonly reportData: Buffer;
  /** What that must be for this runtime data: its digest, then zeros. */
  readonly runtimeDigest: Buffer;
  readonly key: AttestationKey;
  /** JSON of the runtime data: keys, configuration of the machine, user data. */
  readonly runtime: z.infer<typeof runtimeSchema>;
}

const text = z.string().optional();

/** Of runtime data only this is read: what else stands there, at whatever depth, is left out. */
const runtimeSchema = z.object({
  keys: z
    .array(
      z.object({
        kid: z.string(),
        kty: z.string(),
        key_ops: z.array(z.string()).max(16).optional(),
        n: text,
        e: text,
        crv: text,
        x: text,
        y: text,
      }),
    )
    .max(16),
  'vm-configuration': z
    .record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
    .optional()
    .catch(undefined),
  'user-data': text,
});

/**
 * Reads a report as Azure keeps it in NV index 0x01400001 (Azure confidential VM guest attestation,
 * ATTESTATION_REPORT). Errors: EVIDENCE_MALFORMED, also for runtime data without an attestation key.
 */
export function parseHclReport(bytes: Bytes): HclReport {
  const cursor = new Cursor(bytes, WHAT);
  const header = cursor.take(HEADER_BYTES);
  if (!equal(header.subarray(0, MAGIC.length), MAGIC)) cursor.fail('it does not start with HCLA');
  const hardware = cursor.take(SNP_REPORT_BYTES);
  cursor.u32le(); // size of all that follows, padding or not
  cursor.u32le(); // version
  const kindId = cursor.u32le();
  const { kind, reportDataAt } =
    KINDS.get(kindId) ?? cursor.fail(`hardware report of type ${kindId}`);
  const hashId = cursor.u32le();
  const algorithm = HASHES.get(hashId) ?? cursor.fail(`runtime data hash of type ${hashId}`);
  const data = cursor.take(cursor.u32le());
  const reportData = hardware.subarray(reportDataAt, reportDataAt + REPORT_DATA_BYTES);
  const runtime = runtimeOf(data);
  const ak = runtime.keys.find(({ kid }) => kid === AK_ID);
  return {
    kind,
    hardware,
    reportData,
    runtimeDigest: zeroPadded(hash(algorithm, data, 'buffer')),
    key: jwkKey(JSON.stringify(ak ?? cursor.fail(`no key ${AK_ID} in the runtime data`))),
    runtime,
  };
}

function zeroPadded(digest: Buffer): Buffer {
  const padded = Buffer.alloc(REPORT_DATA_BYTES);
  digest.copy(padded);
  return padded;
}

function runtimeOf(data: Buffer): z.infer<typeof runtimeSchema> {
  let json: unknown;
  try {
    json = JSON.parse(data.toString());
  } catch (cause) {
    throw malformed(WHAT, 'its runtime data is no JSON', cause);
  }
  return parseAs(runtimeSchema, json, {
    code: 'EVIDENCE_MALFORMED',
    op: 'evidence.parse',
    what: `${WHAT}: runtime data`,
    hint: 'Read NV index 0x01400001 of the virtual TPM again, from the start.',
  });
}
