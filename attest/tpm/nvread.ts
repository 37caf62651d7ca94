// The verb that reads the EK certificate from NV. The bytes are handed on as they are: some vendors
// pad the index or encode loosely, and ek.ts judges that.
import { TidelockError } from '#agent/base/errors.ts';
import type { Sequence } from './sequence.ts';
import { EK_TEMPLATES, type EkTemplate } from './templates.ts';

export interface EkCertificate {
  /** Contents of the NV index: DER, perhaps with padding after it. */
  readonly der: Buffer;
  readonly template: EkTemplate;
}

/** The first EK certificate the TPM holds. Errors: TPM_EK_MISSING, TPM_COMMAND, TPM_UNREACHABLE. */
export async function readEkCertificate(sequence: Sequence): Promise<EkCertificate> {
  const listed = String(await sequence.tool('getcap', 'handles-nv-index'));
  const present = new Set(Array.from(listed.matchAll(/0x[0-9A-Fa-f]{1,8}/g), ([h]) => Number(h)));
  const template = EK_TEMPLATES.find(({ nvIndex }) => present.has(nvIndex));
  if (template === undefined) {
    throw new TidelockError('TPM_EK_MISSING', {
      op: 'tpm.nvread',
      message: 'Cannot read the EK certificate: the TPM holds none',
      hint: `Looked in NV for ${EK_TEMPLATES.map(({ name }) => name).join(', ')}. Use a TPM whose maker certified it; on a software TPM run swtpm_setup with --create-ek-cert.`,
    });
  }
  const index = `0x${template.nvIndex.toString(16)}`;
  return { der: await sequence.tool('nvread', index), template };
}
