import { expect, it } from 'vitest';
import { isStale, isTransport, responseName, responseOf } from './response.ts';

// Codes as tpm2_rc_decode of tpm2-tools 5.4 names them.
it.each([
  [0x18b, 'TPM_RC_HANDLE'],
  [0x1df, 'TPM_RC_INTEGRITY'],
  [0x2c4, 'TPM_RC_VALUE'],
  [0x98e, 'TPM_RC_AUTH_FAIL'],
  [0x9a2, 'TPM_RC_BAD_AUTH'],
  [0x99d, 'TPM_RC_POLICY_FAIL'],
  [0x100, 'TPM_RC_INITIALIZE'],
  [0x128, 'TPM_RC_PCR_CHANGED'],
  [0x14c, 'TPM_RC_NV_DEFINED'],
  [0x902, 'TPM_RC_OBJECT_MEMORY'],
  [0x910, 'TPM_RC_REFERENCE_H0'],
  [0x921, 'TPM_RC_LOCKOUT'],
  [0x97f, 'TPM_RC_UNKNOWN'],
  [0xa000a, 'TSS2_TCTI'],
  [0x70001, 'TSS2_LAYER_7'],
])('responseName() names 0x%s', (code, name) => {
  expect(responseName(code)).toBe(name);
});

it('responseOf() reads the command and the code that a tool printed', () => {
  const stderr = `ERROR: Esys_TR_FromTPMPublic(0x18B) - tpm:handle(1):the handle is not correct for the use
ERROR: Unable to run tpm2_readpublic`;
  expect(responseOf(stderr)).toEqual({
    code: 0x18b,
    name: 'TPM_RC_HANDLE',
    command: 'TR_FromTPMPublic',
  });
  expect(responseOf('ERROR: Could not load tcti, got: "swtpm:path=/x"')).toBeUndefined();
});

it('isStale() tells a context that died with a reset from a credential for another TPM', () => {
  const of = (stderr: string) => {
    const response = responseOf(stderr);
    if (response === undefined) throw new Error('no response code');
    return response;
  };
  expect(isStale(of('Esys_ContextLoad(0x1DF)'))).toBe(true);
  expect(isStale(of('Esys_Load(0x902)'))).toBe(true);
  expect(isStale(of('Esys_ActivateCredential(0x1DF)'))).toBe(false);
  expect(isTransport(of('Esys_Quote(0xA000A)'))).toBe(true);
  expect(isTransport(of('Esys_Quote(0x18B)'))).toBe(false);
});
