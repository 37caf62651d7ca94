// TPM and TSS response codes: their names, and the error that carries them. The only place that reads
// what the tools print on stderr.
import { TidelockError } from '#agent/base/errors.ts';

/** One response code (TPM 2.0 Part 2 6.6; upper bits: TSS 2.0 Overview 3.2, layer). */
export interface TpmResponse {
  readonly code: number;
  /** `TPM_RC_HANDLE`, or `TSS2_TCTI` for what happened on the way to the TPM. */
  readonly name: string;
  /** The TPM command, as `Quote`; empty when the tool did not say. */
  readonly command: string;
}

/** TPM_COMMAND, with the response code. */
export class TpmCommandError extends TidelockError {
  readonly response: TpmResponse;

  constructor(op: string, response: TpmResponse, cause: unknown) {
    const code = `0x${response.code.toString(16).toUpperCase().padStart(3, '0')}`;
    super('TPM_COMMAND', {
      op,
      message: `Cannot run TPM2_${response.command || 'command'}: ${response.name} (${code})`,
      hint:
        REMEDIES[response.name] ??
        'The TPM refused the command; look the name up in TPM 2.0 Part 2 6.6.',
      retryable: RETRYABLE.has(response.name),
      cause,
    });
    this.response = response;
  }
}

/** The response code in a tool's stderr; undefined when it names none. */
export function responseOf(stderr: string): TpmResponse | undefined {
  const match = /\bEsys_([A-Za-z_]{1,40})\(0x([0-9A-Fa-f]{1,8})\)/.exec(stderr);
  const text = match?.[2];
  if (text === undefined) return undefined;
  const code = Number.parseInt(text, 16);
  return { code, name: responseName(code), command: match?.[1] ?? '' };
}

const TCTI_LAYER = 10;

/** The command never reached the TPM, or the answer never came back. */
export const isTransport = (response: TpmResponse): boolean => response.code >>> 16 === TCTI_LAYER;

/**
 * A saved context or a handle from before a TPM reset, or a slot that another client left full: the
 * sequence is worth starting again from its first command.
 */
export const isStale = (response: TpmResponse): boolean =>
  response.command === 'ContextLoad' ||
  response.name.startsWith('TPM_RC_REFERENCE_') ||
  response.name.endsWith('_MEMORY') ||
  response.name.endsWith('_HANDLES');

/** Name of a response code, without the position of the handle, session or parameter. */
export function responseName(code: number): string {
  if (code >>> 16 === TCTI_LAYER) return 'TSS2_TCTI';
  if (code >>> 16 !== 0) return `TSS2_LAYER_${code >>> 16}`;
  const formatOne = (code & 0x080) !== 0;
  const name = formatOne ? FORMAT_ONE[code & 0x03f] : FORMAT_ZERO[code & 0x97f];
  return name === undefined ? 'TPM_RC_UNKNOWN' : `TPM_RC_${name}`;
}

/** RC_FMT1 + n, TPM 2.0 Part 2 table 17. */
const FORMAT_ONE: Readonly<Record<number, string>> = {
  0x01: 'ASYMMETRIC',
  0x02: 'ATTRIBUTES',
  0x03: 'HASH',
  0x04: 'VALUE',
  0x05: 'HIERARCHY',
  0x07: 'KEY_SIZE',
  0x08: 'MGF',
  0x09: 'MODE',
  0x0a: 'TYPE',
  0x0b: 'HANDLE',
  0x0c: 'KDF',
  0x0d: 'RANGE',
  0x0e: 'AUTH_FAIL',
  0x0f: 'NONCE',
  0x10: 'PP',
  0x12: 'SCHEME',
  0x15: 'SIZE',
  0x16: 'SYMMETRIC',
  0x17: 'TAG',
  0x18: 'SELECTOR',
  0x1a: 'INSUFFICIENT',
  0x1b: 'SIGNATURE',
  0x1c: 'KEY',
  0x1d: 'POLICY_FAIL',
  0x1f: 'INTEGRITY',
  0x20: 'TICKET',
  0x21: 'RESERVED_BITS',
  0x22: 'BAD_AUTH',
  0x23: 'EXPIRED',
  0x24: 'POLICY_CC',
  0x25: 'BINDING',
  0x26: 'CURVE',
  0x27: 'ECC_POINT',
};

/** RC_VER1 + n (0x1xx) and RC_WARN + n (0x9xx), TPM 2.0 Part 2 table 17. */
const FORMAT_ZERO: Readonly<Record<number, string>> = {
  0x100: 'INITIALIZE',
  0x101: 'FAILURE',
  0x103: 'SEQUENCE',
  0x119: 'PRIVATE',
  0x120: 'DISABLED',
  0x121: 'EXCLUSIVE',
  0x124: 'AUTH_TYPE',
  0x125: 'AUTH_MISSING',
  0x126: 'POLICY',
  0x127: 'PCR',
  0x128: 'PCR_CHANGED',
  0x12d: 'UPGRADE',
  0x12e: 'TOO_MANY_CONTEXTS',
  0x12f: 'AUTH_UNAVAILABLE',
  0x130: 'REBOOT',
  0x131: 'UNBALANCED',
  0x142: 'COMMAND_SIZE',
  0x143: 'COMMAND_CODE',
  0x144: 'AUTHSIZE',
  0x145: 'AUTH_CONTEXT',
  0x146: 'NV_RANGE',
  0x147: 'NV_SIZE',
  0x148: 'NV_LOCKED',
  0x149: 'NV_AUTHORIZATION',
  0x14a: 'NV_UNINITIALIZED',
  0x14b: 'NV_SPACE',
  0x14c: 'NV_DEFINED',
  0x150: 'BAD_CONTEXT',
  0x151: 'CPHASH',
  0x152: 'PARENT',
  0x153: 'NEEDS_TEST',
  0x154: 'NO_RESULT',
  0x155: 'SENSITIVE',
  0x901: 'CONTEXT_GAP',
  0x902: 'OBJECT_MEMORY',
  0x903: 'SESSION_MEMORY',
  0x904: 'MEMORY',
  0x905: 'SESSION_HANDLES',
  0x906: 'OBJECT_HANDLES',
  0x907: 'LOCALITY',
  0x908: 'YIELDED',
  0x909: 'CANCELED',
  0x90a: 'TESTING',
  0x910: 'REFERENCE_H0',
  0x911: 'REFERENCE_H1',
  0x912: 'REFERENCE_H2',
  0x918: 'REFERENCE_S0',
  0x919: 'REFERENCE_S1',
  0x91a: 'REFERENCE_S2',
  0x920: 'NV_RATE',
  0x921: 'LOCKOUT',
  0x922: 'RETRY',
  0x923: 'NV_UNAVAILABLE',
};

const RETRYABLE: ReadonlySet<string> = new Set(
  ['YIELDED', 'CANCELED', 'TESTING', 'NV_RATE', 'RETRY', 'OBJECT_MEMORY', 'SESSION_MEMORY'].map(
    (name) => `TPM_RC_${name}`,
  ),
);

const AUTH =
  'A hierarchy of this TPM has a password. Tidelock uses the owner and endorsement hierarchies with empty authorization; clear the password or the TPM.';

const REMEDIES: Readonly<Record<string, string>> = {
  TPM_RC_AUTH_FAIL: AUTH,
  TPM_RC_BAD_AUTH: AUTH,
  TPM_RC_LOCKOUT:
    'The TPM is in dictionary attack lockout: wait, or run tpm2_dictionarylockout with the lockout password.',
  TPM_RC_HANDLE:
    'The object at that handle is gone, usually because the TPM was cleared or replaced. The next round makes a new attestation key; enrol the node again.',
  TPM_RC_INTEGRITY:
    'The TPM could not open what it was given: made for another TPM or key, or saved before a TPM reset.',
  TPM_RC_NV_SPACE: 'The TPM has no room for a persistent key: evict one that nobody uses.',
  TPM_RC_INITIALIZE: 'The TPM was not started up; a software TPM needs --flags startup-clear.',
  TPM_RC_FAILURE: 'The TPM is in failure mode: power the machine off and on.',
};
