// What can be said of the key that signed a quote. Whether a TPM holds it is for credential activation
// to show: its Name is what ties a quote to an enrolled node (ATTESTATION trap 5).
import { equal, hex, type Bytes } from '#agent/base/bytes.ts';
import { about, fail, notChecked, pass, type Check } from '#attest/check.ts';
import { ATTESTATION_KEY, missingAttributes } from '#attest/tpm/public.ts';
import type { AttestationKey } from './key.ts';

/** `akName` is the Name that the key must have; undefined when nobody pins one. */
export const keyChecks = (key: AttestationKey, akName: Bytes | undefined): Check[] => [
  attributesCheck(key),
  nameCheck(key, akName),
];

function attributesCheck({ area, form }: AttestationKey): Check {
  const name = 'AK attributes';
  if (area === undefined) {
    const text = `A ${form} does not say what the key may sign, and a key that is not restricted can sign a perfect fake of a quote. Give the TPM2B_PUBLIC of the key.`;
    return notChecked(name, text);
  }
  const missing = missingAttributes(area, ATTESTATION_KEY);
  if (missing.length === 0) return pass(name, `${ATTESTATION_KEY.join(', ')} are all set.`);
  const text = `The key is not ${missing.join(', ')}: software could have signed this. Make an attestation key (tpm2_createak) and enrol it.`;
  return fail(name, text);
}

function nameCheck({ area, form }: AttestationKey, akName: Bytes | undefined): Check {
  const name = 'AK name';
  if (akName === undefined) {
    const stated = area === undefined ? '' : ` It is ${hex(area.name)}.`;
    const text = `No Name was given that the key must have, so nothing ties it to a certain TPM.${stated}`;
    return notChecked(name, text);
  }
  if (area === undefined) {
    const text = `A ${form} has no Name to compare with ${hex(akName)}. Give the TPM2B_PUBLIC of the key.`;
    return about('instance-identity', notChecked(name, text, 'none'));
  }
  return about(
    'instance-identity',
    equal(area.name, akName)
      ? pass(name, `${hex(akName)}, as it must be.`)
      : fail(
          name,
          `${hex(area.name)} is not ${hex(akName)}: another key, of another TPM or made since. Enrol the node again if its TPM was cleared on purpose.`,
        ),
  );
}
