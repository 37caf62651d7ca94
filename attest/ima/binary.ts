// Reads an IMA list as binary_runtime_measurements gives it: little endian, which every kernel with a
// TPM writes, and others with ima_canonical_fmt.
import { concat } from '#agent/base/bytes.ts';
import { Cursor } from '#attest/cursor.ts';
import { HASH_NAMES, hashByName, type HashAlgorithm } from '#attest/tpm/algorithms.ts';
import { FIXED_DIGEST_BYTES, FIXED_NAME_BYTES, PCR_COUNT, type ImaEntry } from './entry.ts';
import { FIXED_TEMPLATE, MAX_TEMPLATE_NAME_BYTES, templateFields } from './template.ts';

/** No field that a kernel measures is near it. */
const MAX_DATA_BYTES = 1 << 20;
const PRINTABLE = /^[!-~]+$/;

/**
 * The hash that the template hashes of the list are by, which the list does not say: that with whose size
 * a template name follows. Errors: EVIDENCE_MALFORMED.
 */
export function listedByOf(bytes: Buffer): HashAlgorithm {
  const listedBy = HASH_NAMES.map(hashByName).find(({ sizeBytes }) => {
    const at = 4 + sizeBytes;
    if (bytes.length < at + 4) return false;
    const lenBytes = bytes.readUInt32LE(at);
    const name = bytes.subarray(at + 4, at + 4 + Math.min(lenBytes, MAX_TEMPLATE_NAME_BYTES));
    return name.length === lenBytes && PRINTABLE.test(name.toString('latin1'));
  });
  return listedBy ?? new Cursor(bytes, 'IMA list').fail('no template name where the first belongs');
}

/** The entry at the cursor (ima_measurements_show). Errors: EVIDENCE_MALFORMED. */
export function binaryEntry(cursor: Cursor, index: number, by: HashAlgorithm): ImaEntry {
  const pcr = cursor.u32le();
  if (pcr >= PCR_COUNT) cursor.fail(`entry ${index} is for PCR ${pcr}`);
  const listed = cursor.take(by.sizeBytes).toString('hex');
  const template = bounded(cursor, MAX_TEMPLATE_NAME_BYTES, `entry ${index}: template name`);
  const name = template.toString('latin1');
  if (!PRINTABLE.test(name)) cursor.fail(`entry ${index} has a template name of other than ASCII`);
  const data = name === FIXED_TEMPLATE ? fixedData(cursor, index) : fieldData(cursor, index, name);
  return { index, pcr, template: name, listed, listedBy: by.name, data, endOffset: cursor.offset };
}

/** Digest, then the name behind its length and without its zero byte. */
function fixedData(cursor: Cursor, index: number): Buffer {
  const digest = cursor.take(FIXED_DIGEST_BYTES);
  const name = bounded(cursor, FIXED_NAME_BYTES - 1, `entry ${index}: name`);
  return concat(digest, name, Buffer.alloc(FIXED_NAME_BYTES - name.length));
}

/** The bytes stand as the kernel hashed them; an unknown template is hashed all the same. */
function fieldData(cursor: Cursor, index: number, template: string): Buffer {
  const data = bounded(cursor, MAX_DATA_BYTES, `entry ${index}: template data`);
  const fields = new Cursor(data, `IMA list: entry ${index}: template data`);
  const known = templateFields(template);
  if (known === undefined) return data;
  for (let i = 0; i < known.length; i += 1) fields.take(fields.u32le());
  fields.end();
  return data;
}

function bounded(cursor: Cursor, maxBytes: number, what: string): Buffer {
  const lenBytes = cursor.u32le();
  if (lenBytes > maxBytes) cursor.fail(`${what} of ${lenBytes} bytes, at most ${maxBytes} fit`);
  return cursor.take(lenBytes);
}
