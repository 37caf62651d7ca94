// What Intel writes into the certificate of a provisioning certification key about the processor it
// belongs to (Intel SGX PCK Certificate and CRL Profile 1.5, 1.3.5). It reads; the chain is judged elsewhere.
import type { Bytes } from '#agent/base/bytes.ts';
import { hex } from '#agent/base/bytes.ts';
import { malformed } from '#attest/cursor.ts';
import { derChildren, derElement, type DerElement } from '#attest/der.ts';
import { extensionsOf, objectIdentifier } from '#attest/x509/extension.ts';

const SGX = '1.2.840.113741.1.13.1';
const WHAT = 'PCK certificate';
export const TCB_COMPONENTS = 16;

export interface PckPlatform {
  /** Hex. */
  readonly ppid: string;
  readonly fmspc: string;
  readonly pceId: string;
  /** SVNs of the 16 SGX TCB components. */
  readonly components: readonly number[];
  readonly pceSvn: number;
}

/** Reads the SGX extension of a DER certificate. Errors: EVIDENCE_MALFORMED. */
export function pckPlatform(certificate: Bytes): PckPlatform {
  const extension = extensionsOf(certificate).get(SGX);
  if (extension === undefined) throw malformed(WHAT, 'it has no SGX extension: it is no PCK');
  const fields = valuesOf(derElement(extension, WHAT));
  const tcb = valuesOf(wanted(fields, `${SGX}.2`));
  const component = (index: number): number => integer(wanted(tcb, `${SGX}.2.${index + 1}`), 0xff);
  return {
    ppid: hex(wanted(fields, `${SGX}.1`).content),
    pceId: hex(wanted(fields, `${SGX}.3`).content),
    fmspc: hex(wanted(fields, `${SGX}.4`).content),
    components: Array.from({ length: TCB_COMPONENTS }, (_, index) => component(index)),
    pceSvn: integer(wanted(tcb, `${SGX}.2.17`), 0xffff),
  };
}

/** SEQUENCE OF SEQUENCE { id, value } by object identifier. */
function valuesOf(list: DerElement): ReadonlyMap<string, DerElement> {
  const found = new Map<string, DerElement>();
  for (const entry of derChildren(list, WHAT)) {
    const [id, value] = derChildren(entry, WHAT);
    if (id === undefined || value === undefined) throw malformed(WHAT, 'an SGX field of no value');
    found.set(objectIdentifier(id), value);
  }
  return found;
}

function wanted(fields: ReadonlyMap<string, DerElement>, id: string): DerElement {
  const field = fields.get(id);
  if (field === undefined) throw malformed(WHAT, `SGX field ${id} is missing`);
  return field;
}

/** A small non-negative INTEGER (X.690 8.3). */
function integer({ content }: DerElement, most: number): number {
  const value =
    content.length > 0 && content.length <= 3 ? content.readIntBE(0, content.length) : -1;
  if (value < 0 || value > most) throw malformed(WHAT, 'an SVN out of range');
  return value;
}
