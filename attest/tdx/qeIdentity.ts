// Intel's identity of the quoting enclave for TDX (PCS API v4, /tdx/certification/v4/qe/identity), compared
// with the report of the enclave that made a quote. The signature of the identity is judged elsewhere.
import { fromHex, hex } from '#agent/base/bytes.ts';
import { problemsOf } from '#agent/base/schema.ts';
import { malformed } from '#attest/cursor.ts';
import { z } from 'zod';
import { masked } from './attributes.ts';
import type { EnclaveReport } from './enclaveReport.ts';
import { dateText, hexText, parseJson } from './signedText.ts';
import { svnLevels } from './tcbInfo.ts';

const schema = z.object({
  id: z.string().max(40),
  version: z.literal(2),
  issueDate: dateText,
  nextUpdate: dateText,
  tcbEvaluationDataNumber: z.int().min(0),
  miscselect: hexText(4),
  miscselectMask: hexText(4),
  attributes: hexText(16),
  attributesMask: hexText(16),
  mrsigner: hexText(32),
  isvprodid: z.int().min(0).max(0xffff),
  tcbLevels: svnLevels,
});

export type QeIdentity = z.infer<typeof schema>;

/** Errors: EVIDENCE_MALFORMED. */
export function parseQeIdentity(text: string): QeIdentity {
  const what = 'QE identity';
  const read = schema.safeParse(parseJson(text, what));
  if (read.success) return read.data;
  throw malformed(what, problemsOf(read.error).slice(0, 5).join('; '));
}

/** The id of the enclave that quotes trust domains; `QE` is that of SGX enclaves. */
const TD_QE = 'TD_QE';

/** Each way in which the enclave is not the one of the identity, in words; none when it is. */
export function departures(identity: QeIdentity, report: EnclaveReport): string[] {
  const { attributes, attributesMask, miscselect, miscselectMask } = identity;
  return [
    ...differs('the identity', identity.id, TD_QE),
    ...differs('MRSIGNER', hex(report.mrSigner), identity.mrsigner),
    ...differs('ISVPRODID', String(report.isvProdId), String(identity.isvprodid)),
    ...differs(
      'MISCSELECT under its mask',
      masked(report.miscSelect, fromHex(miscselectMask)),
      miscselect,
    ),
    ...differs(
      'ATTRIBUTES under their mask',
      masked(report.attributes, fromHex(attributesMask)),
      attributes,
    ),
  ];
}

const differs = (name: string, is: string, needed: string): string[] =>
  is === needed ? [] : [`${name} is ${is}, not ${needed}`];
