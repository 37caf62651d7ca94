// Writes IMA lists as Linux does, with the value of PCR 10 that they lead to, by the kernel's own rules
// and none of the reader's code: for benches, fuzzing and tests.
import { hash } from 'node:crypto';
import { concat, sha256, utf8 } from '#agent/base/bytes.ts';

export type ImaListForm = 'ascii' | 'binary';

export interface WrittenImaList {
  readonly list: Buffer;
  /** PCR 10 of the SHA-256 bank, as Linux since 5.8 extends it. */
  readonly pcr10: Buffer;
}

const PCR = 10;
const TEMPLATE = 'ima-ng';

/** A list of `entries` entries of template ima-ng: the boot aggregate, then programs. */
export function writeImaList(
  entries: number,
  form: ImaListForm,
  bootAggregate = Buffer.alloc(32, 7),
): WrittenImaList {
  let pcr10: Buffer = Buffer.alloc(32);
  const written = Array.from({ length: entries }, (_, index) => {
    const name = index === 0 ? 'boot_aggregate' : `/usr/lib/programs/program-${index}`;
    const digest = index === 0 ? bootAggregate : sha256(utf8(name));
    const data = templateData(digest, name);
    pcr10 = sha256(pcr10, sha256(data));
    return form === 'ascii' ? asciiEntry(data, digest, name) : binaryEntry(data);
  });
  return { list: concat(...written), pcr10 };
}

/** `d-ng|n-ng`: each field behind its length, little endian. */
const templateData = (digest: Buffer, name: string): Buffer => {
  const fields = [concat(utf8('sha256:\0'), digest), utf8(`${name}\0`)];
  return concat(...fields.flatMap((field) => [u32le(field.length), field]));
};

const asciiEntry = (data: Buffer, digest: Buffer, name: string): Buffer =>
  Buffer.from(
    `${PCR} ${hash('sha1', data)} ${TEMPLATE} sha256:${digest.toString('hex')} ${name}\n`,
  );

const binaryEntry = (data: Buffer): Buffer =>
  concat(
    u32le(PCR),
    hash('sha1', data, 'buffer'),
    u32le(TEMPLATE.length),
    utf8(TEMPLATE),
    u32le(data.length),
    data,
  );

function u32le(n: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(n);
  return bytes;
}
