// The enrolment, the delegation and what is said about them (PROTOCOL 3.10), as the vectors have them: in form, not in truth,
// since no TPM and no maker of one stands behind them.
import { b64url, hex } from '#agent/base/bytes.ts';
import type { Json } from '#agent/base/jcs.ts';
import type { Delegation } from '#attest/delegation.ts';
import type { Enrolment } from '#attest/enrolment.ts';
import { CLUSTER, DOMAIN, RECEIVER, SENT_MS, seed } from './cast.ts';

const reference = {
  bank: 'sha256',
  pcrs: { 0: hex(seed('PCR 0')), 7: hex(seed('PCR 7')), 11: hex(seed('PCR 11')) },
} as const;

export const ENROLMENT: Enrolment = {
  v: 1,
  domain: DOMAIN,
  cluster: CLUSTER,
  node: RECEIVER.node,
  ekDigest: hex(seed('endorsement key')),
  akName: `000b${hex(seed('attestation key'))}`,
  reference,
  issuedAt: SENT_MS,
};

export const DELEGATION: Delegation = {
  v: 1,
  domain: DOMAIN,
  cluster: CLUSTER,
  issuedAt: SENT_MS - 3_600_000,
  until: SENT_MS + 7 * 86_400_000,
  nodes: ['node-b', 'worker-*'],
  ekRoots: [b64url(seed('root certificate', 1200)), b64url(seed('intermediate certificate', 1000))],
  reference,
};

const { node } = RECEIVER;
const quote = { message: b64url(seed('quote', 145)), signature: b64url(seed('signature', 72)) };
const akPublic = b64url(seed('attestation key', 90));

export const ENDORSEMENT = {
  enrolment: { v: 1, kind: 'enrolment' },
  quote,
  pcrs: reference.pcrs,
  akPublic,
} as const;

const refusal = { v: 1, ok: false, reason: 'node-b is a member now' };
const answer = { v: 1, ok: true, reason: '' };
const credential = {
  credentialBlob: b64url(seed('credential', 70)),
  encryptedSecret: b64url(seed('encrypted secret', 258)),
};

/** What is asked and answered: what it is called, of which kind it is, and itself. */
export const ASKED: readonly (readonly [name: string, message: string, value: Json])[] = [
  [
    '',
    'credentialAsk',
    {
      v: 1,
      ask: 'credential',
      node,
      ekCertificate: b64url(seed('endorsement key certificate', 1000)),
      akPublic,
    },
  ],
  ['', 'credentialAnswer', { ...answer, credential }],
  [', refused', 'credentialAnswer', refusal],
  [
    '',
    'endorseAsk',
    { v: 1, ask: 'endorse', node, secret: b64url(seed('secret')), payload: ENROLMENT },
  ],
  ['', 'endorseAnswer', { ...answer, endorsement: ENDORSEMENT }],
  [', refused', 'endorseAnswer', refusal],
  ['', 'endorsement', ENDORSEMENT],
];
