// What can be said of the key that signed a quote. Whether a TPM holds it is for credential activation
// to show: its Name is what ties a quote to an enrolled node (ATTESTATION trap 5).
import { equal, hex, type Bytes } from '#agent/base/bytes.ts';
import { about, fail, notChecked, pass, type Check, type Verdict } from '#attest/check.ts';
import { ATTESTATION_KEY, missingAttributes } from '#attest/tpm/public.ts';
import type { AttestationKey } from './key.ts';

/**
 * `akName` is the Name that the key must have; undefined when nobody pins one. What is not known of a key
 * costs the best verdict, unless something else that is judged vouches for the key.
 */
export function keyChecks(
  key: AttestationKey,
  akName: Bytes | undefined,
  isVouchedFor: boolean,
): Check[] {
  const unknown = isVouchedFor ? 'affirming' : 'warning';
  return [
    attributesCheck(key, unknown),
    about('instance-identity', nameCheck(key, akName, unknown)),
  ];
}

function attributesCheck({ area, form }: AttestationKey, unknown: Verdict): Check {
  const name = 'AK attributes';
  if (area === undefined) {
    const text = `A ${form} does not say what the key may sign, and a key that is not restricted can sign a perfect fake of a quote. Give the TPM2B_PUBLIC of the key.`;
    return notChecked(name, text, unknown);
  }
  const missing = missingAttributes(area, ATTESTATION_KEY);
  if (missing.length === 0) return pass(name, `${ATTESTATION_KEY.join(', ')} are all set.`);
  const text = `The key is not ${missing.join(', ')}: software could have signed this. Make an attestation key (tpm2_createak) and enrol it.`;
  return fail(name, text);
}

function nameCheck(
  { area, form }: AttestationKey,
  akName: Bytes | undefined,
  unknown: Verdict,
): Check {
  const name = 'AK name';
  if (akName === undefined) {
    const stated = area === undefined ? '' : ` It is ${hex(area.name)}.`;
    const text = `No Name was given that the key must have (--ak-name), so nothing ties it to a certain TPM.${stated}`;
    return notChecked(name, text, unknown);
  }
  if (area === undefined) {
    const text = `A ${form} has no Name to compare with ${hex(akName)}: it is a digest of the TPM's own public area. Give the TPM2B_PUBLIC of the key.`;
    return notChecked(name, text, 'warning');
  }
  return equal(area.name, akName)
    ? pass(name, `${hex(akName)}, as it must be.`)
    : fail(
        name,
        `${hex(area.name)} is not ${hex(akName)}: another key, of another TPM or made since. Enrol the node again if its TPM was cleared on purpose.`,
      );
}
