// The roots that a person names: a directory, a file of certificates or a bundle.
import { messageOf, TidelockError } from '#agent/base/errors.ts';
import { readEkAuthorities, type EkAuthorities } from '#attest/roots/read.ts';

/** The authorities at `path`. Errors: FILE_UNREADABLE, EVIDENCE_MALFORMED for a bundle that is none. */
export async function readAuthorities(path: string): Promise<EkAuthorities> {
  try {
    return await readEkAuthorities(path);
  } catch (cause) {
    if (cause instanceof TidelockError) throw cause;
    throw new TidelockError('FILE_UNREADABLE', {
      op: 'roots.read',
      message: `Cannot read the roots in ${path}: ${messageOf(cause)}`,
      hint: 'Name a directory with the root and intermediate certificates of TPM makers, PEM or DER, or a bundle of tidelock roots add.',
      cause,
    });
  }
}

/** `1 authority`, `5 authorities`. */
export const countedAuthorities = ({ length }: readonly unknown[]): string =>
  length === 1 ? '1 authority' : `${length} authorities`;
