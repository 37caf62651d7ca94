// The attestation document of an AWS Nitro enclave, or of a NitroTPM: a COSE_Sign1 around a CBOR map, with
// the syntax that AWS documents. Whether what it says is true is for attest/nitro/judge.ts.
import type { Bytes } from '#agent/base/bytes.ts';
import { malformed } from '#attest/cursor.ts';
import { parseSign1, type CoseSign1 } from '#attest/cbor/cose.ts';
import { decodeCbor, type CborMap, type CborValue } from '#attest/cbor/decode.ts';

/** The NSM gives out 16 KiB at most; what is longer is no document. */
export const MAX_NITRO_BYTES = 64 << 10;

const WHAT = 'Nitro attestation document';
/** Bounds of the user guide; the NSM of today takes 1,024 bytes where the guide still says 512. */
const MAX_CERTIFICATE_BYTES = 1024;
const MAX_CHOSEN_BYTES = 1024;
const MAX_CABUNDLE = 16;
const MAX_PCRS = 32;
const PCR_BYTES: readonly number[] = [32, 48, 64];
/** The last instant that a Date can name. */
const MAX_UNIX_MS = 8.64e15;

/** The map of registers, by which a document of an enclave and one of a NitroTPM are told apart. */
const PCR_FIELDS = ['pcrs', 'nitrotpm_pcrs'] as const;

export interface NitroDocument {
  /** `pcrs` in the document of an enclave, `nitrotpm_pcrs` in that of an instance with a NitroTPM. */
  readonly pcrField: (typeof PCR_FIELDS)[number];
  readonly moduleId: string;
  readonly digest: string;
  readonly timestampMs: number;
  /** Index to value; a locked register that nothing extended is zero. */
  readonly pcrs: ReadonlyMap<number, Buffer>;
  /** DER of the certificate of the key that signed, and of its issuers, the root first. */
  readonly certificate: Buffer;
  readonly cabundle: readonly Buffer[];
  /** What the enclave chose to have signed; undefined where it gave nothing. */
  readonly publicKey: Buffer | undefined;
  readonly userData: Buffer | undefined;
  readonly nonce: Buffer | undefined;
}

export interface NitroMessage {
  readonly envelope: CoseSign1;
  readonly document: NitroDocument;
}

/** Reads a document whose signature nobody has checked yet. Errors: EVIDENCE_MALFORMED. */
export function parseNitro(bytes: Bytes): NitroMessage {
  if (bytes.length > MAX_NITRO_BYTES) throw malformed(WHAT, `it is over ${MAX_NITRO_BYTES} bytes`);
  const envelope = parseSign1(bytes, WHAT);
  const payload = decodeCbor(envelope.payload, `payload of the ${WHAT}`);
  if (!(payload instanceof Map)) throw malformed(WHAT, 'its payload is no map');
  const map = payload as CborMap;
  return {
    envelope,
    document: {
      pcrField: pcrFieldOf(map),
      moduleId: text(map, 'module_id'),
      digest: digestOf(map),
      timestampMs: timestampOf(map),
      pcrs: pcrsOf(map),
      certificate: byteString('certificate', map.get('certificate'), 1, MAX_CERTIFICATE_BYTES),
      cabundle: cabundleOf(map),
      publicKey: chosen(map, 'public_key', 1),
      userData: chosen(map, 'user_data', 0),
      nonce: chosen(map, 'nonce', 0),
    },
  };
}

const refuse = (field: string, state: string): never => {
  throw malformed(WHAT, `${field} ${state}`);
};

function text(map: CborMap, field: string): string {
  const value = map.get(field);
  return typeof value === 'string' && value !== '' ? value : refuse(field, 'is no text');
}

function digestOf(map: CborMap): string {
  const digest = text(map, 'digest');
  return digest === 'SHA384' ? digest : refuse('digest', 'is not SHA384');
}

function timestampOf(map: CborMap): number {
  const value = map.get('timestamp');
  return typeof value === 'number' && value > 0 && value <= MAX_UNIX_MS
    ? value
    : refuse('timestamp', 'is no time in Unix milliseconds');
}

function pcrFieldOf(map: CborMap): NitroDocument['pcrField'] {
  const [field, other] = PCR_FIELDS.filter((each) => map.has(each));
  if (field !== undefined && other === undefined) return field;
  return refuse(PCR_FIELDS.join(' or '), 'is not there, or both are');
}

function pcrsOf(map: CborMap): Map<number, Buffer> {
  const field = pcrFieldOf(map);
  const value = map.get(field);
  if (!(value instanceof Map) || value.size === 0 || value.size > MAX_PCRS) {
    return refuse(field, `is no map of 1 to ${MAX_PCRS} registers`);
  }
  const pcrs = new Map<number, Buffer>();
  for (const [index, register] of value as CborMap) {
    if (typeof index !== 'number' || index < 0 || index >= MAX_PCRS) {
      return refuse(field, `has a register that is not from 0 to ${MAX_PCRS - 1}`);
    }
    if (!Buffer.isBuffer(register) || !PCR_BYTES.includes(register.length)) {
      return refuse(`${field} ${index}`, 'is not of 32, 48 or 64 bytes');
    }
    pcrs.set(index, register);
  }
  return pcrs;
}

function cabundleOf(map: CborMap): Buffer[] {
  const value = map.get('cabundle');
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_CABUNDLE) {
    return refuse('cabundle', `is no list of 1 to ${MAX_CABUNDLE} certificates`);
  }
  return (value as readonly CborValue[]).map((der, i) =>
    byteString(`cabundle ${i}`, der, 1, MAX_CERTIFICATE_BYTES),
  );
}

/** A field that the enclave may leave out, or give as null. */
function chosen(map: CborMap, field: string, minBytes: number): Buffer | undefined {
  const value = map.get(field);
  return value === undefined || value === null
    ? undefined
    : byteString(field, value, minBytes, MAX_CHOSEN_BYTES);
}

function byteString(field: string, value: CborValue, min: number, max: number): Buffer {
  return Buffer.isBuffer(value) && value.length >= min && value.length <= max
    ? value
    : refuse(field, `is no byte string of ${min} to ${max} bytes`);
}
