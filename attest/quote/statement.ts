// A TPMS_ATTEST as JSON: every field under its name in TPM 2.0 Part 2 10.12.12, numbers that stand for
// constants as their hex digits. Only what a key has signed is to be shown.
import { hex } from '#agent/base/bytes.ts';
import { TPM_GENERATED, type TpmsAttest } from '#attest/tpm/attest.ts';

export interface QuoteStatement {
  /** `ff544347`. */
  readonly magic: string;
  /** `8018`: TPM_ST_ATTEST_QUOTE. */
  readonly type: string;
  /** Name algorithm and digest, hex. */
  readonly qualifiedSigner: string;
  /** The nonce, hex; empty where none was asked for. */
  readonly extraData: string;
  readonly clockInfo: {
    /** Milliseconds. */
    readonly clock: number;
    readonly resetCount: number;
    readonly restartCount: number;
    /** TPMI_YES_NO. */
    readonly safe: 0 | 1;
  };
  /** 16 hex digits, vendor-specific. */
  readonly firmwareVersion: string;
  readonly pcrSelect: readonly { readonly alg: string; readonly pcrs: readonly number[] }[];
  /** Hex. */
  readonly pcrDigest: string;
}

/** Undefined for what is no quote. */
export function quoteStatement(attest: TpmsAttest): QuoteStatement | undefined {
  const { quote, clock } = attest;
  if (quote === undefined) return undefined;
  return {
    magic: TPM_GENERATED.toString(16),
    type: attest.typeId.toString(16),
    qualifiedSigner: hex(attest.qualifiedSigner),
    extraData: hex(attest.extraData),
    clockInfo: {
      clock: clock.clockMs,
      resetCount: clock.resetCount,
      restartCount: clock.restartCount,
      safe: clock.safe ? 1 : 0,
    },
    firmwareVersion: attest.firmwareVersion,
    pcrSelect: quote.selections.map(({ bank, pcrs }) => ({ alg: bank.name, pcrs })),
    pcrDigest: hex(quote.pcrDigest),
  };
}
