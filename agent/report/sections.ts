// The parts of a report's page that show what the report carries: registers, the TPM's certificate, the
// signatures, the node's own word. Only of a report whose signatures held.
import { fromB64url } from '#agent/base/bytes.ts';
import type { Check } from '#attest/check.ts';
import { parseEkCertificate, type EkCertificate } from '#attest/ek.ts';
import { isEndorsed } from '#attest/endorsed.ts';
import { pcrText } from '#attest/reference.ts';
import type { Told } from '#attest/reportVerify.ts';
import { registerOf } from './claims.ts';
import { safe, type Html } from './html.ts';

/** The result of a check as a mark and a word. */
export function resultCell({ result }: Pick<Check, 'result'>): Html {
  const [kind, mark, word] = MARKS[result];
  return safe`<td class="result ${kind}"><span aria-hidden="true">${mark} </span>${word}</td>`;
}

const MARKS = {
  pass: ['pass', '✓', 'holds'],
  fail: ['fail', '✕', 'fails'],
  'not checked': ['open', '–', 'not checked'],
} as const;

/** Every register that was quoted or has an enrolled value: both values and whether they agree. */
export function registerSection({ body, enrolment, pcrs }: Told, checks: readonly Check[]): Html {
  const enrolled = enrolment?.reference.pcrs ?? {};
  const indices = [...new Set([...Object.keys(body.evidence.pcrs), ...Object.keys(enrolled)])]
    .map(Number)
    .toSorted((a, b) => a - b);
  const rows = indices.map((index) => {
    const check = checks.find(({ name }) => registerOf(name) === index);
    const result = check ?? { result: 'not checked' as const };
    return safe`<tr>
      ${resultCell(result)}
      <th scope="row">${pcrText(index)}</th>
      <td><code>${pcrs[String(index)] ?? 'not proven'}</code></td>
      <td><code>${enrolled[String(index)] ?? 'none'}</code></td>
    </tr>`;
  });
  return safe`<h2>Registers</h2>
    <p class="dim">
      Measurements of the start in bank ${body.evidence.bank}, as the TPM signed them, beside the
      values that an owner enrolled as good.
    </p>
    <table>
      <thead>
        <tr>
          <th scope="col">Result</th>
          <th scope="col">Register</th>
          <th scope="col">Quoted</th>
          <th scope="col">Enrolled</th>
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>`;
}

/** The endorsement certificate, its chain as far as it was checked, and the attestation key. */
export function certificateSection({ body, enrolment, ekChain }: Told): Html {
  const certificate = certificateIn(body.evidence.ekCertificate);
  const rows = certificate ? certificateRows(certificate) : [];
  return safe`<h2>Certificates and keys of the TPM</h2>
    ${definitions([
      ...rows,
      ['Chain, as checked', ekChain.join(' < ') || 'not checked'],
      ['Attestation key, enrolled name', enrolment?.akName ?? 'not enrolled'],
    ])}`;
}

function certificateIn(text: string): EkCertificate | undefined {
  try {
    return parseEkCertificate(fromB64url(text));
  } catch {
    return undefined; // the claims say so
  }
}

const certificateRows = ({ x509, digest }: EkCertificate): Row[] => [
  ['Endorsement certificate', x509.subject?.replaceAll('\n', ', ') || '(no subject)'],
  ['Issuer', x509.issuer.replaceAll('\n', ', ')],
  ['Serial number', x509.serialNumber],
  ['Valid', `${x509.validFrom} to ${x509.validTo}`],
  ['SHA-256 of its public key', digest],
];

/** Which key signed what. */
export const signatureSection = ({ keyId, stated, body }: Told): Html =>
  safe`<h2>Signatures</h2>
    ${definitions([
      ['This report', `key ${keyId} of node statement ${stated.sid}`],
      ['Enrolment', signersOf(body.enrolment)],
      ['Attestation policy', signersOf(body.policy)],
    ])}`;

/** The key ids that a document of owners names; whether they signed is among the claims. */
function signersOf(document: unknown): string {
  if (isEndorsed(document)) {
    const { delegation } = document as { readonly delegation?: unknown };
    return `two agents, to whom it was delegated by ${signersOf(delegation)}`;
  }
  const { signatures } = (document ?? {}) as { readonly signatures?: unknown };
  if (!Array.isArray(signatures)) return 'nobody';
  const texts = signatures.map(
    (each: { readonly alg?: unknown; readonly keyId?: unknown } | null) =>
      typeof each?.alg === 'string' && typeof each.keyId === 'string'
        ? `${each.alg} of owner ${each.keyId}`
        : 'unreadable',
  );
  return texts.slice(0, 8).join(', ') || 'nobody';
}

/** What the node says of itself, by group. */
export function factSection({ body }: Told): Html {
  const rows = Object.entries(body.facts).flatMap(([group, facts]) =>
    Object.entries(facts).map(([name, value]): Row => [`${group}: ${name}`, String(value)]),
  );
  if (rows.length === 0) return safe``;
  return safe`<h2>What the node says of itself</h2>
    <p class="dim">Its own word, signed but not measured.</p>
    ${definitions(rows)}`;
}

type Row = readonly [name: string, value: string];

/** Names and values, side by side. */
const definitions = (rows: readonly Row[]): Html =>
  safe`<table>
    <tbody>
      ${rows.map(
        ([name, value]) =>
          safe`<tr>
            <th scope="row">${name}</th>
            <td><code>${value}</code></td>
          </tr>`,
      )}
    </tbody>
  </table>`;
