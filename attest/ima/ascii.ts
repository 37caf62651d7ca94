// Reads an IMA list as ascii_runtime_measurements shows it, and restores the bytes that the kernel
// hashed. A line break in a file name is shown as it is: such a list can be judged in binary form only.
import { malformed } from '#attest/cursor.ts';
import { hashBySize } from '#attest/tpm/algorithms.ts';
import { FIXED_DIGEST_BYTES, FIXED_NAME_BYTES, PCR_COUNT, type ImaEntry } from './entry.ts';
import { FIXED_TEMPLATE, templateFields, type Field } from './template.ts';

const PCR = /^\d{1,2}$/;
const LISTED = /^[0-9a-f]{40,128}$/;

/** One line without its end (ima_ascii_measurements_show). Errors: EVIDENCE_MALFORMED. */
export function asciiEntry(line: string, index: number, endOffset: number): ImaEntry {
  const words = (line.startsWith(' ') ? line.slice(1) : line).split(' ');
  const [pcr = '', listed = '', template = ''] = words;
  const listedBy = LISTED.test(listed) ? hashBySize(listed.length / 2)?.name : undefined;
  if (listedBy === undefined || !PCR.test(pcr) || Number(pcr) >= PCR_COUNT) {
    throw refused(index, NO_ENTRY);
  }
  const fields = templateFields(template);
  if (fields === undefined) {
    throw refused(
      index,
      `template ${JSON.stringify(template.slice(0, 80))} is unknown: take binary_runtime_measurements`,
    );
  }
  const texts = textsOf(words.slice(3), fields);
  const data = template === FIXED_TEMPLATE ? fixedData(texts) : fieldData(texts, fields);
  if (data === undefined) throw refused(index, 'a field is not what its template says');
  return { index, pcr: Number(pcr), template, listed, listedBy, data, endOffset };
}

const NO_ENTRY =
  'not "PCR hash template fields": the list is damaged, or a file name has a line break, which only binary_runtime_measurements can carry';

/** Old kernels leave spaces in names: what is too much belongs to the name. */
function textsOf(words: readonly string[], fields: readonly Field[]): readonly string[] {
  const surplus = words.length - fields.length;
  if (surplus <= 0) return words; // empty fields at the end may have lost their space
  const name = fields.findIndex(({ id }) => id === 'n-ng' || id === 'n');
  const end = name + surplus + 1;
  return [...words.slice(0, name), words.slice(name, end).join(' '), ...words.slice(end)];
}

/** The kernel hashes a name as a zero-padded array, whatever its length. */
function fixedData([digest = '', name = '']: readonly string[]): Buffer | undefined {
  const data = Buffer.alloc(FIXED_DIGEST_BYTES + FIXED_NAME_BYTES);
  if (digest.length !== 2 * FIXED_DIGEST_BYTES || name.length >= FIXED_NAME_BYTES) return undefined;
  if (data.write(digest, 'hex') !== FIXED_DIGEST_BYTES) return undefined;
  data.write(name, FIXED_DIGEST_BYTES, 'latin1');
  return data;
}

/** Each field behind its length; undefined when one cannot be read. */
function fieldData(texts: readonly string[], fields: readonly Field[]): Buffer | undefined {
  const sizes = fields.map((field, i) => sizeOf(field, texts[i] ?? ''));
  const size = sizes.reduce((sum, each) => sum + 4 + each, 0);
  const data = Buffer.allocUnsafe(size).fill(0); // of the pool, which Buffer.alloc is not
  let at = 0;
  for (let i = 0; i < fields.length; i += 1) {
    const [field, text, lenBytes] = [fields[i], texts[i], sizes[i]];
    if (field === undefined || lenBytes === undefined) return undefined;
    at = data.writeUInt32LE(lenBytes, at);
    if (text && !writeField({ data, at, size: lenBytes }, field, text)) return undefined;
    at += lenBytes;
  }
  return data;
}

/** Bytes that a field has; a shown field that is empty is kept as no byte at all. */
function sizeOf({ kind }: Field, text: string): number {
  if (text === '') return 0;
  switch (kind) {
    case 'digest':
    case 'hex':
      return text.length >>> 1;
    case 'named': {
      const prefix = prefixLength(text);
      return Math.max(1, prefix) + 1 + ((text.length - prefix) >>> 1);
    }
    case 'text':
      return text.length + 1;
    case 'u16':
      return 2;
    case 'u32':
      return 4;
  }
}

/** Length of `sha256:` and `verity:sha256:`; a digest that names no algorithm is kept behind `:`. */
const prefixLength = (text: string): number => text.lastIndexOf(':') + 1;

/** Where a field belongs; zeros stand there. */
interface Room {
  readonly data: Buffer;
  readonly at: number;
  readonly size: number;
}

/** False when `text` is no such field. */
function writeField({ data, at, size }: Room, { kind }: Field, text: string): boolean {
  switch (kind) {
    case 'digest':
    case 'hex':
      return writeHex({ data, at, size }, text);
    case 'named': {
      const prefix = prefixLength(text);
      const skipped = data.write(text.slice(0, prefix) || ':', at, 'latin1') + 1;
      return writeHex({ data, at: at + skipped, size: size - skipped }, text.slice(prefix));
    }
    case 'text':
      data.write(text, at, 'latin1');
      return true;
    case 'u16':
    case 'u32': {
      const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
      if (!(value < 2 ** (8 * size))) return false;
      data.writeUIntLE(value, at, size);
      return true;
    }
  }
}

/** Buffer's own decoder stops at what is not hex. */
const writeHex = ({ data, at, size }: Room, text: string): boolean =>
  text.length === 2 * size && data.write(text, at, 'hex') === size;

const refused = (index: number, state: string): Error =>
  malformed('IMA list', `entry ${index}: ${state}`);
