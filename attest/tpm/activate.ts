// The verb that recovers a credential's secret, which only the TPM holding both EK and AK can do.
import { readFile, writeFile } from 'node:fs/promises';
import { concat, fromHex } from '#agent/base/bytes.ts';
import type { Credential } from '#attest/credential.ts';
import { handleText } from './ak.ts';
import { createEk } from './createek.ts';
import { flushTransient, type Sequence } from './sequence.ts';
import type { EkTemplate } from './templates.ts';

/** tpm2-tools' credential file: magic and version 1, then the two TPM2B. */
const CREDENTIAL_FILE = fromHex('badcc0de00000001');

/**
 * TPM2_ActivateCredential (Part 3 12.5) with the AK at `handle` and the EK of `template`.
 * Errors: TPM_COMMAND (TPM_RC_INTEGRITY: made for another TPM or AK), TPM_UNREACHABLE.
 */
export async function activateCredential(
  sequence: Sequence,
  handle: number,
  template: EkTemplate['name'],
  credential: Credential,
): Promise<Buffer> {
  const file = sequence.path('credential');
  const secret = sequence.path('secret');
  await writeFile(
    file,
    concat(CREDENTIAL_FILE, credential.credentialBlob, credential.encryptedSecret),
  );
  const ek = await createEk(sequence, template);
  const activate = async (...auth: readonly string[]): Promise<void> => {
    const objects = ['-c', handleText(handle), '-C', ek];
    await sequence.tool('activatecredential', ...objects, '-i', file, '-o', secret, ...auth);
  };
  try {
    if (template === 'ECC P-384') await activate(); // high range: empty password
    else await underEndorsement(sequence, (session) => activate('-P', `session:${session}`));
  } finally {
    await flushTransient(sequence);
  }
  return readFile(secret);
}

/** Runs `use` with a policy session that satisfies PolicySecret(endorsement), as low-range EKs demand. */
async function underEndorsement(
  sequence: Sequence,
  use: (session: string) => Promise<void>,
): Promise<void> {
  const session = sequence.path('session.ctx');
  await sequence.tool('startauthsession', '--policy-session', '-S', session);
  try {
    await sequence.tool('policysecret', '-S', session, '-c', 'e');
    await use(session);
  } finally {
    await sequence.tool('flushcontext', session);
  }
}
