// EFI_SIGNATURE_LIST (UEFI 2.10, 32.4.1): the contents of PK, KEK, db, dbx and MokList, and one
// EFI_SIGNATURE_DATA, by which firmware says what authorised an image.
import type { Bytes } from '#agent/base/bytes.ts';
import { sha256, hex } from '#agent/base/bytes.ts';
import { Cursor } from '#attest/cursor.ts';
import { GUID_BYTES, guidText } from './guid.ts';
import { ifReadable } from './readable.ts';
import { subjectName } from './subject.ts';

/** Certificates told one by one; a database holds a handful. */
const MAX_CERTIFICATES = 64;
/** Lists in one variable; dbx has one per kind of entry. */
const MAX_LISTS = 1024;
const X509 = 'a5c059a1-94e4-4aa7-87b5-ab155c2bf072';
/** Kinds of entry by GUID (UEFI 2.10, 32.4.1). */
const KINDS: Readonly<Record<string, string>> = {
  [X509]: 'x509',
  'c1c41626-504c-4092-aca9-41f936934328': 'sha256',
  '826ca512-cf10-4ac9-b187-be01496631bd': 'sha1',
  '0b6e5233-a65c-44c9-9407-d9ab83bfc8bd': 'sha224',
  'ff3e5307-9fd0-48c9-85f1-8ad56c701e01': 'sha384',
  '093e0fae-a6c4-4f50-9f1b-d41e2b89c19a': 'sha512',
  '3c5766e8-269c-4e34-aa14-ed776e85b3b6': 'rsa2048',
  'e2b36190-879b-4a3d-ad8d-f2e7bba32784': 'rsa2048-sha256',
  '3bd2a492-96c0-4079-b420-fcf98ef103ed': 'x509-sha256',
  '7076876e-80c2-4ee6-aad2-28b349a6865b': 'x509-sha384',
  '446dbf63-2502-4cda-bcfa-2465d2b0fe9d': 'x509-sha512',
};

/** A certificate of a key database. */
export interface Certificate {
  /** GUID of who put it there. */
  readonly owner: string;
  /** Common name of the subject, or the whole subject where it has none. */
  readonly subject: string;
  /** SHA-256 of the DER, hex. */
  readonly sha256: string;
}

/** What a key database holds. */
export interface SignatureLists {
  /** The first 64. */
  readonly certificates: readonly Certificate[];
  /** Entries by kind, certificates included: `{ x509: 2, sha256: 77 }`. */
  readonly counts: Readonly<Record<string, number>>;
}

/** Reads lists that fill `contents` exactly; none when it is empty. Errors: EVIDENCE_MALFORMED. */
export function parseSignatureLists(contents: Bytes): SignatureLists {
  const cursor = new Cursor(contents, 'EFI signature list');
  const certificates: Certificate[] = [];
  const counts = new Map<string, number>();
  for (let lists = 0; cursor.remaining > 0; lists += 1) {
    if (lists === MAX_LISTS) cursor.fail(`more than ${MAX_LISTS} lists`);
    const { kind, entries } = list(cursor);
    counts.set(kind, (counts.get(kind) ?? 0) + entries.length);
    if (kind !== KINDS[X509]) continue;
    const room = MAX_CERTIFICATES - certificates.length;
    certificates.push(...entries.slice(0, room).map(parseSignatureData));
  }
  return { certificates, counts: Object.fromEntries(counts) };
}

/** Reads an EFI_SIGNATURE_DATA that holds a certificate. Errors: EVIDENCE_MALFORMED. */
export function parseSignatureData(data: Bytes): Certificate {
  const cursor = new Cursor(data, 'EFI signature data');
  const owner = guidText(cursor.take(GUID_BYTES));
  return certificateOf(owner, cursor.peekRest());
}

/** A certificate as an event tells it; `owner` is empty for shim's, which carry none. */
export const certificateOf = (owner: string, der: Bytes): Certificate => ({
  owner,
  subject: ifReadable(() => subjectName(der)) ?? 'not readable',
  sha256: hex(sha256(der)),
});

function list(cursor: Cursor): { readonly kind: string; readonly entries: readonly Buffer[] } {
  const guid = guidText(cursor.take(GUID_BYTES));
  const listBytes = cursor.u32le();
  const headerBytes = cursor.u32le();
  const entryBytes = cursor.u32le();
  const bodyBytes = listBytes - (GUID_BYTES + 12) - headerBytes;
  if (bodyBytes < 0) cursor.fail(`a list of ${listBytes} bytes`);
  cursor.take(headerBytes);
  const body = cursor.take(bodyBytes);
  if (entryBytes <= GUID_BYTES || bodyBytes % entryBytes !== 0) {
    cursor.fail(`entries of ${entryBytes} bytes in ${bodyBytes}`);
  }
  const entries = Array.from({ length: bodyBytes / entryBytes }, (_, i) =>
    body.subarray(i * entryBytes, (i + 1) * entryBytes),
  );
  return { kind: KINDS[guid] ?? guid, entries };
}
