// Makes enrolments by two agents with keys of its own, every part as a test wants it: owners, a maker of TPMs, and endorsers
// whose attestation keys are in software. Nothing of the product imports it.
import { hash } from 'node:crypto';
import { generateSigningKey, type SigningKey } from '#agent/base/asymmetric.ts';
import type { NodeName } from '#agent/base/brands.ts';
import { b64url, concat, hex, sha256, u16, utf8, type Bytes } from '#agent/base/bytes.ts';
import type { Json } from '#agent/base/jcs.ts';
import { signDocument, type SignedDocument } from '#agent/base/signed.ts';
import { signDelegation, type Delegation } from '#attest/delegation.ts';
import { parseEkCertificate } from '#attest/ek.ts';
import {
  ENDORSED_KIND,
  endorsementData,
  type EndorsedDocument,
  type Endorsement,
} from '#attest/endorsed.ts';
import { ENROLMENT_KIND, type Enrolment } from '#attest/enrolment.ts';
import type { AttestationPolicy } from '#attest/policy.ts';
import { ATTRIBUTE, parsePublic } from '#attest/tpm/public.ts';
import { makeCertificate, makeKeys, type MadeCertificate } from './certificate.ts';
import { AK_ATTRIBUTES, makeAk, makeAttest, tpmSignature, type MadeAk } from './quote.ts';

export const PLACE = { domain: 'example.org', cluster: 'test' } as const;
/** When everything was endorsed, unix milliseconds. */
export const ENDORSED_MS = 1_800_000_000_000;
const DAY_MS = 86_400_000;
export const NEWCOMER = 'node-c' as NodeName;

const values = new Map([0, 4, 7].map((pcr) => [pcr, Buffer.alloc(32, pcr + 1)]));
export const REFERENCE: Enrolment['reference'] = {
  bank: 'sha256',
  pcrs: Object.fromEntries(Array.from(values, ([pcr, value]) => [String(pcr), hex(value)])),
};
export const POLICY: Pick<AttestationPolicy, 'bank' | 'enforce'> = {
  bank: 'sha256',
  enforce: [0, 4, 7],
};

export const owner = generateSigningKey();
export const terms = { owners: [owner.public], policy: POLICY };

const root = makeCertificate({ subject: { CN: 'Maker Root' }, keys: makeKeys('P-256'), ca: true });
const ekKeys = makeKeys('RSA');

/** A certificate of the newcomer's EK, by `issuer`. */
export const ekCertificateBy = (issuer: MadeCertificate): Buffer =>
  makeCertificate({ subject: { CN: 'EK' }, keys: ekKeys, issuer }).der;
export const ekCertificate = ekCertificateBy(root);
/** A maker whom no delegation names. */
export const stranger = makeCertificate({
  subject: { CN: 'Stranger' },
  keys: makeKeys('P-256'),
  ca: true,
});

const sized = (bytes: Bytes): Buffer => concat(u16(bytes.length), bytes);

/** The delegation, or one that differs. */
export const delegationOf = (
  change: Partial<Delegation> = {},
  by: SigningKey = owner,
): SignedDocument<Delegation> =>
  signDelegation(
    {
      v: 1,
      ...PLACE,
      issuedAt: ENDORSED_MS - DAY_MS,
      until: ENDORSED_MS + DAY_MS,
      nodes: [NEWCOMER, 'worker-*'],
      ekRoots: [b64url(root.der)],
      reference: REFERENCE,
      ...change,
    },
    by,
  );

/** The newcomer's key; no test has it sign anything. */
export const newcomerAk = makeAk('ECC', AK_ATTRIBUTES | ATTRIBUTE.noDA).area;

/** What is endorsed, or what differs from it. */
export const payloadOf = (change: Partial<Enrolment> = {}): Enrolment => ({
  v: 1,
  ...PLACE,
  node: NEWCOMER,
  ekDigest: parseEkCertificate(ekCertificate).digest,
  akName: hex(parsePublic(newcomerAk).name),
  reference: REFERENCE,
  issuedAt: ENDORSED_MS,
  ...change,
});

/** A node that an owner has enrolled. */
export interface MadeEndorser {
  readonly node: NodeName;
  readonly enrolment: Enrolment;
  readonly document: SignedDocument;
  readonly ak: MadeAk;
  /** Of `binding`, with registers as they are. */
  endorse(binding: Bytes, registers?: ReadonlyMap<number, Buffer>): Endorsement;
}

export function endorserOf(
  name: string,
  type: 'RSA' | 'ECC',
  change: Partial<Enrolment> = {},
  by: SigningKey = owner,
  ak: MadeAk = makeAk(type),
): MadeEndorser {
  const node = name as NodeName;
  const enrolment: Enrolment = {
    v: 1,
    ...PLACE,
    node,
    ekDigest: hex(sha256(utf8(`EK of ${name}`))),
    akName: hex(parsePublic(ak.area).name),
    reference: REFERENCE,
    issuedAt: ENDORSED_MS - DAY_MS,
    ...change,
  };
  const document = signDocument(ENROLMENT_KIND, enrolment, by);
  return {
    node,
    enrolment,
    document,
    ak,
    endorse: (binding, registers = values) => {
      const message = attestOf(binding, registers);
      return {
        enrolment: document,
        quote: { message: b64url(message), signature: b64url(tpmSignature(ak, message)) },
        pcrs: Object.fromEntries(Array.from(registers, ([pcr, v]) => [String(pcr), hex(v)])),
        akPublic: b64url(ak.area),
      };
    },
  };
}

function attestOf(binding: Bytes, registers: ReadonlyMap<number, Buffer>): Buffer {
  const select = Buffer.from([3, 0, 0, 0]);
  for (const pcr of registers.keys()) {
    const at = 1 + Math.floor(pcr / 8);
    select[at] = (select[at] ?? 0) | (1 << (pcr % 8));
  }
  return makeAttest({
    extraData: sized(binding),
    pcrSelect: select,
    pcrDigest: sized(hash('sha256', concat(...registers.values()), 'buffer')),
  });
}

export const ENDORSERS: readonly [MadeEndorser, MadeEndorser] = [
  endorserOf('node-a', 'ECC'),
  endorserOf('node-b', 'RSA'),
];

export interface Changes {
  readonly payload?: Json;
  readonly certificate?: Buffer;
  readonly delegation?: SignedDocument;
  readonly by?: readonly MadeEndorser[];
  /** What the quotes are over, and what is said that they are over. */
  readonly registers?: ReadonlyMap<number, Buffer>;
}

/** A document in order, or one of which some parts are others: all of it is signed as it then stands. */
export function endorsedBy({
  payload = payloadOf(),
  certificate = ekCertificate,
  delegation = delegationOf(),
  by = ENDORSERS,
  registers = values,
}: Changes = {}): EndorsedDocument {
  const binding = endorsementData(payload, delegation);
  const endorsements = by.map((each) => each.endorse(binding, registers));
  return {
    v: 1,
    kind: ENDORSED_KIND,
    payload,
    ekCertificate: b64url(certificate),
    delegation,
    endorsements: endorsements as EndorsedDocument['endorsements'],
  };
}
