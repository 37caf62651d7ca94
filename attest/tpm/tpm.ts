// This node's TPM as the rest of the agent sees it. It asks and hands on; it never judges what the
// TPM says. All commands pass one queue; a TPM that was reset or gone is found again at the next call.
import { TidelockError } from '#agent/base/errors.ts';
import type { Credential } from '#attest/credential.ts';
import { activateCredential } from './activate.ts';
import { ensureAk, evictAk, readAk, type AttestationKey } from './ak.ts';
import type { HashName } from './algorithms.ts';
import { readEkCertificate, type EkCertificate } from './nvread.ts';
import { readPcrs } from './pcrread.ts';
import { openSequences, type Sequence, type TpmAccess } from './sequence.ts';
import { takeQuote, type Quote, type QuoteRequest } from './takequote.ts';

export interface TpmOptions extends TpmAccess {
  /** Persistent handle of the attestation key. */
  readonly akHandle?: number;
}

/** Every method may throw TPM_COMMAND and TPM_UNREACHABLE besides what it names. */
export interface Tpm extends AsyncDisposable {
  /** DER of the EK certificate, as NV holds it. Errors: TPM_EK_MISSING. */
  ekCertificate(): Promise<Buffer>;
  /** The attestation key, made on first use. Errors: TPM_AK_UNFIT. */
  ensureAk(): Promise<AttestationKey>;
  /** The attestation key if it was made already; makes none. Errors: TPM_AK_UNFIT. */
  findAk(): Promise<AttestationKey | undefined>;
  /** Removes the attestation key. Errors: TPM_AK_UNFIT when the object there is not one. */
  removeAk(): Promise<void>;
  /** Errors: TPM_BANK_INACTIVE. */
  readPcrs(bank: HashName, indices: readonly number[]): Promise<Map<number, Buffer>>;
  quote(request: QuoteRequest): Promise<Quote>;
  /** The secret of a credential made for this TPM's certified EK and this AK. Errors: TPM_EK_MISSING. */
  activateCredential(credential: Credential): Promise<Buffer>;
}

export const DEFAULT_AK_HANDLE = 0x8101_0100;

/** Opens nothing yet; the first command reaches for the TPM. Errors: TPM_TCTI_REFUSED. */
export function openTpm(options: TpmOptions): Tpm {
  const { akHandle = DEFAULT_AK_HANDLE } = options;
  const queue = openSequences(options);
  const known: { certificate?: EkCertificate; ak?: AttestationKey } = {};

  /** What is remembered of a TPM holds until it fails once: it may have been cleared or replaced. */
  const run = async <T>(work: (sequence: Sequence) => Promise<T>): Promise<T> => {
    try {
      return await queue.run(work);
    } catch (error) {
      if (error instanceof TidelockError && error.code.startsWith('TPM_')) {
        delete known.certificate;
        delete known.ak;
      }
      throw error;
    }
  };
  const certificate = async (): Promise<EkCertificate> =>
    (known.certificate ??= await run(readEkCertificate));

  return {
    ekCertificate: async () => (await certificate()).der,
    ensureAk: async () => (known.ak ??= await run((sequence) => ensureAk(sequence, akHandle))),
    findAk: () => run((sequence) => readAk(sequence, akHandle)),
    removeAk: async () => {
      await run(async (sequence) => {
        if (await readAk(sequence, akHandle)) await evictAk(sequence, akHandle);
      });
      delete known.ak;
    },
    readPcrs: (bank, indices) => run((sequence) => readPcrs(sequence, bank, indices)),
    quote: (request) => run((sequence) => takeQuote(sequence, akHandle, request)),
    activateCredential: async (credential) => {
      const { name } = (await certificate()).template;
      return run((sequence) => activateCredential(sequence, akHandle, name, credential));
    },
    [Symbol.asyncDispose]: () => queue[Symbol.asyncDispose](),
  };
}
