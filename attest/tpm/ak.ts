// The verb for the attestation key: made once in the endorsement hierarchy, kept at a persistent
// handle, found again after every restart. A key there that could sign anything else is refused.
import { readFile } from 'node:fs/promises';
import { TidelockError } from '#agent/base/errors.ts';
import { ALG } from './algorithms.ts';
import { ATTESTATION_KEY, missingAttributes, parsePublic, type TpmPublic } from './public.ts';
import { TpmCommandError } from './response.ts';
import { flushTransient, type Sequence } from './sequence.ts';

export interface AttestationKey {
  /** TPM2B_PUBLIC. */
  readonly publicArea: Buffer;
  /** nameAlg || digest, 34 bytes. */
  readonly name: Buffer;
}

/** `0x81010100`. */
export const handleText = (handle: number): string => `0x${handle.toString(16)}`;

/**
 * The AK at `handle`, made there when the handle is free.
 * Errors: TPM_AK_UNFIT, TPM_COMMAND, TPM_UNREACHABLE.
 */
export async function ensureAk(sequence: Sequence, handle: number): Promise<AttestationKey> {
  const found = await readAk(sequence, handle);
  if (found !== undefined) return found;
  await createAk(sequence, handle);
  const made = await readAk(sequence, handle);
  if (made !== undefined) return made;
  throw unfit(handle, 'the key just made is not there');
}

/** The AK at `handle`; undefined when the handle is free. Errors: TPM_AK_UNFIT, TPM_COMMAND, TPM_UNREACHABLE. */
export async function readAk(
  sequence: Sequence,
  handle: number,
): Promise<AttestationKey | undefined> {
  const file = sequence.path('ak.pub');
  try {
    await sequence.tool('readpublic', '-c', handleText(handle), '-f', 'tss', '-o', file);
  } catch (error) {
    const free = error instanceof TpmCommandError && error.response.name === 'TPM_RC_HANDLE';
    if (free) return undefined;
    throw error;
  }
  const publicArea = await readFile(file);
  const key = parsePublic(publicArea);
  const flaw = flawOf(key);
  if (flaw !== undefined) throw unfit(handle, flaw);
  return { publicArea, name: key.name };
}

/**
 * `noda`: without it, three power cuts lock the key out (a TPM counts an unorderly shutdown after use
 * as a failed authorization). tpm2_createak cannot set it, hence a primary key of the endorsement
 * hierarchy: credential activation ties it to the EK all the same, and it survives TPM2_Clear.
 */
const ATTRIBUTES = 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|sign';

async function createAk(sequence: Sequence, handle: number): Promise<void> {
  const context = sequence.path('ak.ctx');
  const algorithms = ['-G', 'ecc256:ecdsa-sha256:null', '-g', 'sha256', '-a', ATTRIBUTES];
  await sequence.tool('createprimary', '-C', 'e', ...algorithms, '-c', context);
  await flushTransient(sequence);
  await sequence.tool('evictcontrol', '-C', 'o', '-c', context, handleText(handle));
  await flushTransient(sequence);
}

/** Takes the key at `handle` out of the TPM. Errors: TPM_COMMAND, TPM_UNREACHABLE. */
export async function evictAk(sequence: Sequence, handle: number): Promise<void> {
  await sequence.tool('evictcontrol', '-C', 'o', '-c', handleText(handle));
}

function flawOf(key: TpmPublic): string | undefined {
  const missing = missingAttributes(key, [...ATTESTATION_KEY, 'noDA']);
  if (missing.length > 0) return `not ${missing.join(', ')}`;
  const ecdsa = key.type === 'ECC' && key.curve.name === 'P-256' && key.scheme?.id === ALG.ECDSA;
  return ecdsa ? undefined : 'not ECDSA on P-256';
}

const unfit = (handle: number, state: string): TidelockError =>
  new TidelockError('TPM_AK_UNFIT', {
    op: 'tpm.ak',
    message: `Cannot use the object at ${handleText(handle)} as attestation key: ${state}`,
    hint: 'Another program owns that handle. Configure a free persistent handle, or evict the object if nobody uses it.',
  });
