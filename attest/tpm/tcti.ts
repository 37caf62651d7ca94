// Which TPM may be asked: this node's own device or a software TPM on this machine, nothing else. A
// TCTI that leaves the machine or runs a command would let another TPM answer for this node (cuckoo,
// ATTESTATION trap 9).
import { TidelockError } from '#agent/base/errors.ts';

/** The resource manager's device: the raw /dev/tpm0 has none, and one client at a time. */
const DEVICE = /^device:\/dev\/tpmrm[0-9]{1,3}$/;
const SWTPM_PATH = /^swtpm:path=\/[^,\s]{1,100}$/;
const SWTPM_LOOPBACK = /^swtpm:host=(127\.0\.0\.1|::1),port=[0-9]{1,5}$/;

export const isAllowedTcti = (tcti: string): boolean =>
  DEVICE.test(tcti) || SWTPM_PATH.test(tcti) || SWTPM_LOOPBACK.test(tcti);

/** `tcti` unchanged. Errors: TPM_TCTI_REFUSED. */
export function allowedTcti(tcti: string): string {
  if (isAllowedTcti(tcti)) return tcti;
  throw new TidelockError('TPM_TCTI_REFUSED', {
    op: 'tpm.open',
    message: `Cannot use TPM "${tcti.slice(0, 120)}": not a device or a loopback software TPM`,
    hint: 'A TPM elsewhere could speak for this node. Use device:/dev/tpmrm0, swtpm:path=/absolute/socket or swtpm:host=127.0.0.1,port=N.',
  });
}
