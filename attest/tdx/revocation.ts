// Whether a CA took back a certificate of a PCK chain, by the lists that came as collateral (Intel SGX PCK
// Certificate and CRL Profile 1.5). A list that nobody of the chain signed is a finding of its own.
import type { X509Certificate } from 'node:crypto';
import { about, fail, notChecked, pass, type Check } from '#attest/check.ts';
import { crlSignedBy, isRevoked, type RevocationList } from '#attest/x509/crl.ts';
import type { Collateral } from './collateral.ts';
import { commonName, type PckChain } from './signatureChecks.ts';

export interface RevocationAnswer {
  /** One per CA of the chain, and one for lists that no CA signed which is known here. */
  readonly checks: readonly Check[];
  /** True when a CA took back a certificate of the chain. */
  readonly revoked: boolean;
}

/** Judges every certificate of a chain by the lists of its issuers. */
export function revocationChecks(
  { leaf, issuers }: PckChain,
  { lists, certificates }: Pick<Collateral, 'lists' | 'certificates'>,
  atMs: number,
): RevocationAnswer {
  const pairs = issuers.map((ca, index) => ({
    ca,
    subject: issuers[index - 1] ?? leaf,
    list: listOf(ca, lists),
  }));
  const authorities = [...issuers, ...certificates.filter(({ ca }) => ca)];
  const stray = lists.filter((list) => !authorities.some((ca) => crlSignedBy(list, ca)));
  const checks = [...pairs.map((pair) => caCheck(pair, atMs)), ...strayChecks(stray, lists)];
  return {
    checks: checks.map((check) => about('hardware', check)),
    revoked: pairs.some(({ list, subject }) => list !== undefined && isRevoked(list, subject)),
  };
}

function strayChecks(stray: readonly RevocationList[], all: readonly RevocationList[]): Check[] {
  if (stray.length === 0) return [];
  const text = `${stray.length} of ${all.length} revocation lists are signed by no CA of the PCK chain: altered, or of another CA (platform and processor have one each). Fetch them again.`;
  return [fail('revocation lists', text)];
}

/** The newest list of `ca` that is signed by it; undefined when there is none. */
export const listOf = (
  ca: X509Certificate,
  lists: readonly RevocationList[],
): RevocationList | undefined =>
  lists
    .filter((list) => crlSignedBy(list, ca))
    .reduce<RevocationList | undefined>(
      (newest, list) => (newest && newest.thisUpdateMs >= list.thisUpdateMs ? newest : list),
      undefined,
    );

interface Pair {
  readonly ca: X509Certificate;
  readonly subject: X509Certificate;
  readonly list: RevocationList | undefined;
}

function caCheck({ ca, subject, list }: Pair, atMs: number): Check {
  const issuer = commonName(ca.subject);
  const name = `revocation by ${issuer}`;
  if (list === undefined) {
    const text = `No revocation list of ${issuer} was given: whether it took back a certificate is not known. Give it with --collateral.`;
    return notChecked(name, text, 'warning');
  }
  const of = `the list of ${day(list.thisUpdateMs)}`;
  if (isRevoked(list, subject)) {
    const text = `${commonName(subject.subject)}, serial ${subject.serialNumber}, is revoked by ${of}: the platform cannot be trusted any more. Move the workload.`;
    return fail(name, text);
  }
  if (list.nextUpdateMs !== undefined && atMs > list.nextUpdateMs) {
    const text = `The list of ${issuer} counted until ${day(list.nextUpdateMs)} and is stale at ${day(atMs)}: fetch a new one, or judge as of an earlier time with --at.`;
    return fail(name, text);
  }
  return pass(
    name,
    `${commonName(subject.subject)} is not among the ${list.revoked.size} of ${of}.`,
  );
}

/** `2026-01-31T12:00:00Z`. */
export const day = (ms: number): string =>
  Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString().replace('.000Z', 'Z') : String(ms);
