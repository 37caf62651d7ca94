// Enrols a node at its own TPM: EK chain, credential activation, PCR values from a verified quote, and
// an owner's signature over what was found. Run once per node; it never overwrites anything.
import { randomBytes, type X509Certificate } from 'node:crypto';
import type { SigningKey } from '#agent/base/asymmetric.ts';
import { equal, hex } from '#agent/base/bytes.ts';
import type { NodeName } from '#agent/base/brands.ts';
import { TidelockError } from '#agent/base/errors.ts';
import { signDocument, type SignedDocument } from '#agent/base/signed.ts';
import { TpmCommandError } from '#attest/tpm/response.ts';
import { parsePublic, type TpmPublic } from '#attest/tpm/public.ts';
import { ekKeyOf } from '#attest/tpm/templates.ts';
import type { Tpm } from '#attest/tpm/tpm.ts';
import { checkEventLog } from '#attest/eventlog/check.ts';
import { bankCheck } from './bank.ts';
import type { Check } from './check.ts';
import { makeCredential } from './credential.ts';
import { parseEkCertificate, trustEk, type EkCertificate } from './ek.ts';
import { ENROLMENT_KIND, type Enrolment } from './enrolment.ts';
import { quoteAsRead } from './evidence.ts';
import { quotedPcrs, type AttestationPolicy } from './policy.ts';
import { verifyQuote, type PcrValues } from './quote.ts';

export interface EnrolmentRequest {
  readonly tpm: Tpm;
  /** Roots and intermediates (ek.ts readEkAuthorities). */
  readonly ekAuthorities: readonly X509Certificate[];
  readonly policy: AttestationPolicy;
  readonly eventLog: () => Promise<Buffer>;
  readonly owner: SigningKey;
  readonly node: NodeName;
  readonly nowMs: number;
  readonly random?: (lenBytes: number) => Buffer;
}

export interface Enrolled {
  readonly document: SignedDocument<Enrolment>;
  /** What was looked at, for the operator who signs. */
  readonly checks: readonly Check[];
  /** Subjects from the EK's issuer to its root. */
  readonly ekChain: readonly string[];
}

/** Errors: ENROLMENT_REFUSED, EVIDENCE_MALFORMED, EVIDENCE_UNSTABLE, those of Tpm. */
export async function enrolNode(request: EnrolmentRequest): Promise<Enrolled> {
  const { tpm, ekAuthorities, policy, owner, node, nowMs, random = randomBytes } = request;
  const ek = parseEkCertificate(await tpm.ekCertificate());
  const trust = trustEk(ek, ekAuthorities, nowMs);
  if (!trust.trusted) {
    throw refused(
      node,
      trust.why,
      'Add the roots and intermediates of this TPM’s maker to the EK roots directory.',
    );
  }
  const ak = parsePublic((await tpm.ensureAk()).publicArea);
  await proveResidence(tpm, ek, ak, node, random);
  const { checks, values } = await referenceValues(request, ak, random);
  const payload: Enrolment = {
    v: 1,
    domain: policy.domain,
    cluster: policy.cluster,
    node,
    ekDigest: ek.digest,
    akName: hex(ak.name),
    reference: { bank: policy.bank, pcrs: hexValues(values, [...policy.enforce, ...policy.warn]) },
    issuedAt: nowMs,
  };
  return { document: signDocument(ENROLMENT_KIND, payload, owner), checks, ekChain: trust.chain };
}

/** Only the TPM that holds both the certified EK and this AK recovers the secret. */
async function proveResidence(
  tpm: Tpm,
  ek: EkCertificate,
  ak: TpmPublic,
  node: NodeName,
  random: (lenBytes: number) => Buffer,
): Promise<void> {
  const key = ekKeyOf(ek.x509.publicKey);
  if (key === undefined) {
    throw refused(
      node,
      'the EK is neither RSA 2048 nor ECC P-256 or P-384',
      'Use a TPM with one of the TCG endorsement keys.',
    );
  }
  const secret = random(32);
  let recovered: Buffer;
  try {
    recovered = await tpm.activateCredential(makeCredential(key, ak.name, secret, random));
  } catch (error) {
    const refusal = error instanceof TpmCommandError && error.response.command === ACTIVATE;
    if (!refusal) throw error;
    throw refused(node, 'the TPM does not hold the key of its EK certificate', OTHER_TPM, error);
  }
  if (!equal(recovered, secret)) {
    throw refused(node, 'the TPM did not recover the credential', OTHER_TPM);
  }
}

/** A credential for another EK fails as integrity, value or size, depending on the key. */
const ACTIVATE = 'ActivateCredential';
const OTHER_TPM =
  'The certificate belongs to another TPM, or another TPM answers. On a software TPM make state and certificate together with swtpm_setup.';

/** Values that this TPM signed for a nonce of ours, not values that some program printed. */
async function referenceValues(
  { tpm, policy, eventLog, node }: EnrolmentRequest,
  key: TpmPublic,
  random: (lenBytes: number) => Buffer,
): Promise<{ readonly checks: readonly Check[]; readonly values: PcrValues }> {
  const nonce = random(32);
  const { bank } = policy;
  const { quote, values } = await quoteAsRead(tpm, bank, quotedPcrs(policy), nonce);
  const answer = verifyQuote({ ...quote, key, qualifyingData: nonce, bank, pcrs: values });
  const log = checkEventLog(await eventLog(), bank, values);
  const checks = [...answer.checks, bankCheck(bank, values), ...log.checks];
  const failed = checks.filter(
    ({ result, ceiling }) => result === 'fail' && ceiling === 'contraindicated',
  );
  if (failed.length === 0) return { checks, values };
  throw refused(
    node,
    failed.map(({ text }) => text).join(' '),
    'A node must be enrolled from a good boot: reboot it and enrol again.',
  );
}

const hexValues = (values: PcrValues, pcrs: readonly number[]): Record<string, string> =>
  Object.fromEntries(
    pcrs
      .toSorted((a, b) => a - b)
      .map((pcr) => [String(pcr), hex(values.get(pcr) ?? Buffer.alloc(0))]),
  );

const refused = (node: NodeName, state: string, hint: string, cause?: unknown): TidelockError =>
  new TidelockError('ENROLMENT_REFUSED', {
    op: 'enrolment.make',
    message: `Cannot enrol ${node}: ${state}`,
    hint,
    cause,
  });
