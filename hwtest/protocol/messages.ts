// Payloads of the signed documents that agents exchange: records, sealed messages, presences, workload
// directories and join requests.
import type { SpiffeId } from '#agent/base/brands.ts';
import { b64url } from '#agent/base/bytes.ts';
import type { Json } from '#agent/base/jcs.ts';
import { BOTH, ED25519_ONLY, type SignatureAlg } from '#agent/base/signed.ts';
import type { Directory } from '#agent/epochs/directory.ts';
import type { JoinRequest } from '#agent/epochs/join.ts';
import type { Presence } from '#agent/epochs/presence.ts';
import { presenceCheck } from '#proxy/chips/chain.ts';
import type { Revocation } from '#attest/revocation.ts';
import { CHAIN, CLUSTER, DOMAIN, RECEIVER, SENT_MS, SLOT, SOURCE, seed } from './cast.ts';
import { DELEGATION, ENROLMENT } from './enrolments.ts';
import { FIRST_RECORD, RECORDS } from './records.ts';
import { envelope } from './sealed.ts';
import { sealKeyFrom } from './statements.ts';

const { node, sid } = SOURCE;

const PRESENCE: Omit<Presence, 'nextSeal'> = {
  v: 1,
  node,
  sid,
  seq: 7,
  chains: [
    {
      chainId: FIRST_RECORD.chainId,
      slot: SLOT,
      check: b64url(presenceCheck(CHAIN, node, sid)),
    },
  ],
  clockOffsetMs: -1.5,
  hop: 0,
};

export const DIRECTORY: Directory = {
  v: 1,
  node,
  sid,
  seq: 3,
  lane: { address: '192.0.2.1', port: 15_008 },
  pods: [
    {
      uid: '5f0f3f4e-6f0c-4f0e-9a43-1f1f1f1f1f1f',
      ips: ['10.244.2.9', '2001:db8:0:2::9'],
      spiffeId: 'spiffe://example.org/prod/shop/web' as SpiffeId,
      ports: [8080],
    },
  ],
};

export const REVOCATION: Revocation = {
  v: 1,
  domain: DOMAIN,
  cluster: CLUSTER,
  node: RECEIVER.node,
  reason: 'disk stolen',
  issuedAt: SENT_MS,
};

/** For a day, of a node that was revoked and enrolled anew before. */
const QUARANTINE: Revocation = {
  ...REVOCATION,
  reason: 'looked into',
  until: SENT_MS + 86_400_000,
  revokedAt: SENT_MS - 86_400_000,
};

export interface Message {
  readonly name: string;
  readonly kind: string;
  readonly payload: Json;
  /** The signatures that it needs. */
  readonly algs: readonly SignatureAlg[];
}

/** The first record first. */
export async function messages(): Promise<readonly Message[]> {
  const seal = b64url((await sealKeyFrom(seed('next seal a'))).public);
  const presence: Presence = { ...PRESENCE, nextSeal: seal };
  const withdrawn: Presence = { ...presence, seq: 8, withdrawn: 'PCR 7 is not as enrolled' };
  const admit: JoinRequest = { v: 1, ask: 'admit', node, sid, seal, needsChains: true };
  return [
    ...RECORDS.map((record) => signedByBoth('epoch-record', record, record.kind)),
    signedByBoth('sealed', await envelope()),
    signedBriefly('presence', presence),
    signedBriefly('presence', withdrawn, 'withdrawn'),
    signedBriefly('workloads', DIRECTORY),
    signedBriefly('join', admit, 'admit'),
    signedBriefly('meet', { v: 1, node, sid, to: RECEIVER.node, slot: SLOT }),
    signedBriefly('join', { ...admit, ask: 'resync' }, 'resync'),
    signedByBoth('revocation', REVOCATION),
    signedByBoth('revocation', QUARANTINE, 'quarantine'),
    signedByBoth('enrolment', ENROLMENT),
    signedByBoth('enrolment-delegation', DELEGATION),
  ];
}

const nameOf = (kind: string, what: string): string => (what === '' ? kind : `${kind}, ${what}`);

const signedByBoth = (kind: string, payload: Json, what = ''): Message => ({
  name: nameOf(kind, what),
  kind,
  payload,
  algs: BOTH,
});

const signedBriefly = (kind: string, payload: Json, what = ''): Message => ({
  name: nameOf(kind, what),
  kind,
  payload,
  algs: ED25519_ONLY,
});
