// The roots and intermediates of TPM makers that an owner trusts, as a verb is told where they are.
import { TidelockError } from '#agent/base/errors.ts';
import { readEkAuthorities, type EkAuthorities } from '#attest/roots/read.ts';

/** Errors: CONFIG_INVALID when there is nothing to read, and those of readEkAuthorities. */
export async function ekRootsAt(path: string): Promise<EkAuthorities> {
  try {
    return await readEkAuthorities(path);
  } catch (cause) {
    if (cause instanceof TidelockError) throw cause;
    throw new TidelockError('CONFIG_INVALID', {
      op: 'roots.read',
      message: `Cannot read EK roots ${path}: the directory is missing or not readable`,
      hint: 'Put the TPM vendors’ root and intermediate certificates, PEM or DER, into a directory and name it in attestation.ekRoots.',
      cause,
    });
  }
}
