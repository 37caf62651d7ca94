// Whether Intel signed a piece of collateral: by the issuer chain that came with it, which must end at the
// root, or by the known key of Intel's TCB signers where no chain came.
import { verifyJwa } from '#agent/base/asymmetric.ts';
import { fail, pass, type Check } from '#attest/check.ts';
import { chainTo } from '#attest/x509/chain.ts';
import { isRevoked } from '#attest/x509/crl.ts';
import { keyDigest, signedUnder, type TdxAnchors } from './anchors.ts';
import type { Collateral } from './collateral.ts';
import { day, type SortedLists } from './revocation.ts';
import { commonName } from './signatureChecks.ts';
import type { SignedText } from './signedText.ts';

/** A PCK chains to the root too, but must not speak for Intel: the signer is known by its name. */
const TCB_SIGNER = 'Intel SGX TCB Signing';

export interface IssueQuestion {
  readonly collateral: Collateral;
  readonly lists: SortedLists;
  readonly anchors: TdxAnchors;
  readonly atMs: number;
}

/** Judges the signature of `signed`, which `name` names (PCS API v4, TCB-Info-Issuer-Chain). */
export function issuedCheck(
  name: string,
  { text, signature }: SignedText,
  { collateral: { certificates }, lists, anchors, atMs }: IssueQuestion,
): Check {
  const message = Buffer.from(text);
  const signers = certificates.filter(({ subject }) => commonName(subject) === TCB_SIGNER);
  const signer = signers.find((each) => signedUnder(each, message, signature));
  if (signer === undefined) {
    if (verifyJwa(anchors.tcbSigner, 'ES256', message, signature)) {
      return pass(name, `Signed by the key of ${TCB_SIGNER}; no certificate of it came with it.`);
    }
    const state = `Its signature does not verify under a key of ${TCB_SIGNER}: a character changed, or it was reformatted. Fetch it again and keep it as it comes.`;
    return fail(name, state);
  }
  const roots = certificates.filter((each) => keyDigest(each) === anchors.rootKey);
  const chain = chainTo(signer, roots, atMs);
  if (!chain.trusted) {
    return fail(name, `Its signer does not chain to the Intel SGX Root CA: ${chain.why}.`);
  }
  const list = lists.byKey.get(anchors.rootKey);
  if (list !== undefined && isRevoked(list, signer)) {
    return fail(name, 'The root CA took back the certificate of its signer. Fetch it again.');
  }
  return pass(name, `Signed by ${TCB_SIGNER}, whose chain ends at the Intel SGX Root CA.`);
}

/** Whether a document still counts at `atMs`; a newer one than `atMs` does: it knows more, not less. */
export const dateCheck = (
  name: string,
  { issueDate, nextUpdate }: { readonly issueDate: number; readonly nextUpdate: number },
  atMs: number,
): Check =>
  atMs <= nextUpdate
    ? pass(name, `Issued ${day(issueDate)}, counts until ${day(nextUpdate)}.`)
    : fail(
        name,
        `Issued ${day(issueDate)}, counted until ${day(nextUpdate)} and is stale at ${day(atMs)}: fetch it again, or judge as of an earlier time with --at.`,
      );
