// Whether a CA took back a certificate of a PCK chain, by the lists that came as collateral (Intel SGX PCK
// Certificate and CRL Profile 1.5). A list that nobody of the chain signed is a finding of its own.
import type { X509Certificate } from 'node:crypto';
import { about, fail, notChecked, pass, type Check } from '#attest/check.ts';
import { crlSignedBy, isRevoked, type RevocationList } from '#attest/x509/crl.ts';
import type { Collateral } from './collateral.ts';
import { commonName, type PckChain } from './signatureChecks.ts';

/** One check per CA of the chain, and one for lists that no CA signed which is known here. */
export function revocationChecks(
  { leaf, issuers }: PckChain,
  { lists, certificates }: Pick<Collateral, 'lists' | 'certificates'>,
  atMs: number,
): Check[] {
  const subjects = [leaf, ...issuers];
  const checks = issuers.flatMap((ca, index) => {
    const subject = subjects[index];
    return subject === undefined ? [] : [caCheck(ca, subject, lists, atMs)];
  });
  const authorities = [...issuers, ...certificates.filter(({ ca }) => ca)];
  const stray = lists.filter((list) => !authorities.some((ca) => crlSignedBy(list, ca)));
  if (stray.length > 0) {
    const text = `${stray.length} of ${lists.length} revocation lists are signed by no CA of the PCK chain: altered, or of another CA (platform and processor have one each). Fetch them again.`;
    checks.push(fail('revocation lists', text));
  }
  return checks.map((check) => about('hardware', check));
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

function caCheck(
  ca: X509Certificate,
  subject: X509Certificate,
  lists: readonly RevocationList[],
  atMs: number,
): Check {
  const issuer = commonName(ca.subject);
  const name = `revocation by ${issuer}`;
  const list = listOf(ca, lists);
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
    const text = `${of} counted until ${day(list.nextUpdateMs)} and is stale at ${day(atMs)}: fetch a new one, or judge as of an earlier time with --at.`;
    return fail(name, sentence(text));
  }
  return pass(
    name,
    `${commonName(subject.subject)} is not among the ${list.revoked.size} of ${of}.`,
  );
}

/** `2026-01-31T12:00:00Z`. */
export const day = (ms: number): string =>
  Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString().replace('.000Z', 'Z') : String(ms);

const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
