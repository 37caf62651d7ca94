// Reads the authorities that somebody trusts: a directory of certificates, one file of them, or a bundle.
import type { X509Certificate } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { messageOf } from '#agent/base/errors.ts';
import { malformed } from '#attest/cursor.ts';
import { parseCertificate, pemBlocks } from '#attest/x509/certificate.ts';
import type { Authority } from './authority.ts';
import { looksLikeBundle, readBundle } from './bundle.ts';
import { filesIn, MAX_FILE_BYTES } from './files.ts';

export interface EkAuthorities {
  readonly authorities: readonly Authority[];
  /** Those of `authorities`. */
  readonly certificates: readonly X509Certificate[];
  /** Files that hold no certificate or cannot be read: why, with their names. */
  readonly skipped: readonly string[];
}

/**
 * Every root and intermediate in a file, or in a directory and below: PEM (several a file), DER, bundles.
 * A directory may hold other files; a file that is named itself must hold authorities.
 * Errors: those of reading (ENOENT, EACCES); EVIDENCE_MALFORMED for a file; FILE_UNREADABLE for a directory
 * that holds more than authorities would.
 */
export async function readEkAuthorities(path: string): Promise<EkAuthorities> {
  if (!(await stat(path)).isDirectory()) return collected(await authoritiesIn(path), []);
  const authorities: Authority[] = [];
  const skipped: string[] = [];
  for (const file of await filesIn(path)) {
    try {
      authorities.push(...(await authoritiesIn(file)));
    } catch (error) {
      skipped.push(messageOf(error));
    }
  }
  return collected(authorities, skipped);
}

const collected = (
  authorities: readonly Authority[],
  skipped: readonly string[],
): EkAuthorities => ({
  authorities,
  certificates: authorities.map(({ certificate }) => certificate),
  skipped,
});

async function authoritiesIn(file: string): Promise<Authority[]> {
  const contents = await buffer(createReadStream(file, { end: MAX_FILE_BYTES }));
  const what = `authority ${file}`;
  if (contents.length > MAX_FILE_BYTES) throw malformed(what, 'it is over 4 MiB');
  if (looksLikeBundle(contents)) return readBundle(contents, `roots bundle ${file}`);
  return certificatesOf(contents, what).map((certificate) => ({
    certificate,
    source: file,
    addedAtMs: undefined,
  }));
}

/** The certificates in PEM (several in a row) or DER. Errors: EVIDENCE_MALFORMED, naming `what`. */
export function certificatesOf(contents: Buffer, what = 'EK authority'): X509Certificate[] {
  const blocks = pemBlocks(contents.toString('latin1'));
  return (blocks.length > 0 ? blocks : [contents]).map((block) => parseCertificate(block, what));
}
