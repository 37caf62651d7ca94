// Reads the authorities that somebody trusts: a directory of certificates, one file of them, or a bundle.
import type { X509Certificate } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '#agent/base/errors.ts';
import { malformed } from '#attest/cursor.ts';
import { parseCertificate, pemBlocks } from '#attest/x509/certificate.ts';
import type { Authority } from './authority.ts';
import { looksLikeBundle, readBundle } from './bundle.ts';

const MAX_FILE_BYTES = 4 << 20;

export interface EkAuthorities {
  readonly authorities: readonly Authority[];
  /** Those of `authorities`. */
  readonly certificates: readonly X509Certificate[];
  /** Files that hold no certificate, each with the reason. */
  readonly skipped: readonly string[];
}

/**
 * Every root and intermediate in a file, or in a directory and below: PEM (several a file), DER, bundles.
 * A directory may hold other files; a file that is named itself must hold authorities.
 * Errors: those of reading (ENOENT, EACCES); EVIDENCE_MALFORMED for a file.
 */
export async function readEkAuthorities(path: string): Promise<EkAuthorities> {
  if (!(await stat(path)).isDirectory()) {
    return collected(authoritiesOf(await readFile(path), path), []);
  }
  const authorities: Authority[] = [];
  const skipped: string[] = [];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  for (const entry of entries.filter((each) => each.isFile())) {
    const file = join(entry.parentPath, entry.name);
    try {
      authorities.push(...authoritiesOf(await readFile(file), file));
    } catch (error) {
      skipped.push(`${file}: ${messageOf(error)}`);
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

function authoritiesOf(contents: Buffer, file: string): Authority[] {
  if (contents.length > MAX_FILE_BYTES) throw malformed('EK authority', 'a file over 4 MiB');
  if (looksLikeBundle(contents)) return readBundle(contents);
  return certificatesOf(contents).map((certificate) => ({
    certificate,
    source: file,
    addedAtMs: undefined,
  }));
}

/** The certificates in PEM (several in a row) or DER. Errors: EVIDENCE_MALFORMED. */
export function certificatesOf(contents: Buffer): X509Certificate[] {
  const blocks = pemBlocks(contents.toString('latin1'));
  return (blocks.length > 0 ? blocks : [contents]).map((block) =>
    parseCertificate(block, 'EK authority'),
  );
}
