// A bank that is active but that nothing ever extended lets anyone extend a good boot into it
// (CVE-2021-42299, ATTESTATION trap 4).
import { fail, notChecked, pass, type Check } from './check.ts';
import type { PcrValues } from './quote.ts';
import type { HashName } from '#attest/tpm/algorithms.ts';

const NAME = 'PCR bank';
const LAST_FIRMWARE_PCR = 7;

/** Whether firmware measured into `bank`, by its registers among those quoted. */
export function bankCheck(bank: HashName, quoted: PcrValues): Check {
  const firmware = [...quoted].filter(([pcr]) => pcr <= LAST_FIRMWARE_PCR);
  if (firmware.length === 0) {
    return notChecked(NAME, 'No firmware register (PCR 0 to 7) is asked for.', 'none');
  }
  const virgin = firmware.filter(([, value]) => value.every((byte) => byte === 0));
  return virgin.length === firmware.length
    ? fail(
        NAME,
        `Bank ${bank} is active but nothing was ever measured into PCR 0 to 7, so software could forge a boot there. Update the firmware or use another bank.`,
      )
    : pass(NAME, `Firmware measured into bank ${bank}.`);
}
