// Whether a CA took back a certificate of a PCK chain, by the lists that came as collateral (Intel SGX PCK
// Certificate and CRL Profile 1.5). A list that nobody of the chain signed is a finding of its own.
import type { X509Certificate } from 'node:crypto';
import { about, fail, notChecked, pass, type Check } from '#attest/check.ts';
import { crlSignedBy, isRevoked, type RevocationList } from '#attest/x509/crl.ts';
import { keyDigest } from './anchors.ts';
import type { Collateral } from './collateral.ts';
import { commonName, type PckChain } from './signatureChecks.ts';

/** Revocation lists by who signed them, each signature verified once. */
export interface SortedLists {
  /** The newest of each CA, by the digest of the CA's key. */
  readonly byKey: ReadonlyMap<string, RevocationList>;
  /** How many nobody signed that is known here. */
  readonly strays: number;
}

/** Sorts the lists of collateral by the CAs of a chain and of the collateral itself. */
export function sortLists({ issuers }: PckChain, { lists, certificates }: Collateral): SortedLists {
  const authorities = [...issuers, ...certificates.filter(({ ca }) => ca)];
  const byKey = new Map<string, RevocationList>();
  let strays = 0;
  for (const list of lists) {
    const signer = authorities.find((ca) => crlSignedBy(list, ca));
    const key = signer && keyDigest(signer);
    if (key === undefined) strays += 1;
    else if ((byKey.get(key)?.thisUpdateMs ?? -Infinity) < list.thisUpdateMs) byKey.set(key, list);
  }
  return { byKey, strays };
}

export interface RevocationAnswer {
  /** One per CA of the chain, and one where there are stray lists. */
  readonly checks: readonly Check[];
  /** True when a CA took back a certificate of the chain. */
  readonly revoked: boolean;
}

/** Judges every certificate of a chain by the lists of its issuers. */
export function revocationChecks(
  { leaf, issuers }: PckChain,
  { byKey, strays }: SortedLists,
  atMs: number,
): RevocationAnswer {
  const pairs = issuers.map((ca, index) => ({
    name: index === 0 ? 'PCK revocation' : 'CA revocation',
    ca,
    subject: issuers[index - 1] ?? leaf,
    list: byKey.get(keyDigest(ca) ?? ''),
  }));
  const checks = pairs.map((pair) => caCheck(pair, atMs));
  if (strays > 0) {
    const text = `${strays} of the revocation lists are signed by no CA of the PCK chain: altered, or of another CA (platform and processor have one each). Fetch them again.`;
    checks.push(fail('revocation lists', text));
  }
  return {
    checks: checks.map((check) => about('hardware', check)),
    revoked: pairs.some(({ list, subject }) => list !== undefined && isRevoked(list, subject)),
  };
}

interface Pair {
  readonly name: string;
  readonly ca: X509Certificate;
  readonly subject: X509Certificate;
  readonly list: RevocationList | undefined;
}

function caCheck({ name, ca, subject, list }: Pair, atMs: number): Check {
  const issuer = commonName(ca.subject);
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
