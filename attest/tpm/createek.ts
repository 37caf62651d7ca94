// The verb that makes an endorsement key again from the TPM's seed, by the template its certificate
// stands for. The key lives in a context file of the sequence and nowhere else.
import { writeFile } from 'node:fs/promises';
import { fromHex } from '#agent/base/bytes.ts';
import { flushTransient, type Sequence } from './sequence.ts';
import type { EkTemplate } from './templates.ts';

/** PolicyB_SHA384 of TCG EK Credential Profile 2.5, B.6.4. */
const POLICY_B_SHA384 =
  'b26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4cb1c0ad9bde419cacb47ba09699646150f9fc000f3f80e12';
const HIGH_RANGE_ATTRIBUTES =
  'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|adminwithpolicy|restricted|decrypt';

/** Path of the context file of the EK. Errors: TPM_COMMAND, TPM_UNREACHABLE. */
export async function createEk(sequence: Sequence, name: EkTemplate['name']): Promise<string> {
  const context = sequence.path('ek.ctx');
  switch (name) {
    case 'RSA 2048':
      await sequence.tool('createek', '-G', 'rsa', '-c', context);
      break;
    case 'ECC P-256':
      await sequence.tool('createek', '-G', 'ecc', '-c', context);
      break;
    case 'ECC P-384':
      await createHighRange(sequence, context);
      break;
  }
  await flushTransient(sequence);
  return context;
}

/** Template H-3, which tpm2_createek 5.4 does not know. */
async function createHighRange(sequence: Sequence, context: string): Promise<void> {
  const policy = sequence.path('policy');
  await writeFile(policy, fromHex(POLICY_B_SHA384));
  const algorithms = ['-G', 'ecc384:aes256cfb', '-g', 'sha384'];
  const object = ['-a', HIGH_RANGE_ATTRIBUTES, '-L', policy, '-c', context];
  await sequence.tool('createprimary', '-C', 'e', ...algorithms, ...object);
}
