// One payload of each kind of signed document that agents exchange: records, sealed messages, presences,
// workload directories and join requests.
import type { SpiffeId } from '#agent/base/brands.ts';
import { b64url, hex } from '#agent/base/bytes.ts';
import type { Json } from '#agent/base/jcs.ts';
import { BOTH, ED25519_ONLY, type SignatureAlg } from '#agent/base/signed.ts';
import type { Directory } from '#agent/epochs/directory.ts';
import type { JoinRequest } from '#agent/epochs/join.ts';
import type { Presence } from '#agent/epochs/presence.ts';
import type { RecordBody } from '#agent/epochs/record.ts';
import { rosterDigest } from '#agent/epochs/roster.ts';
import { chainIdOf, presenceCheck, rootCommit } from '#proxy/chips/chain.ts';
import { CHAIN, CLUSTER, DOMAIN, PERIOD_MS, SLOT, SOURCE, seed } from './cast.ts';
import { rosterOf } from './roster.ts';
import { ROOT, envelope } from './sealed.ts';
import { sealKeyFrom } from './statements.ts';

const { node, sid } = SOURCE;

/** The first record of a generation; the others of a generation have a parent and no rootCommit. */
const RECORD: RecordBody = {
  v: 1,
  domain: DOMAIN,
  cluster: CLUSTER,
  term: 1,
  generation: 1,
  kind: 'heal',
  epoch: 1,
  parent: null,
  atSlot: SLOT,
  periodMs: PERIOD_MS,
  beacon: b64url(seed('beacon')),
  algorithm: 1,
  rootCommit: hex(rootCommit(ROOT)),
  rosterDigest: rosterDigest(rosterOf(3)),
  prev: null,
  conductor: SOURCE,
};

const PRESENCE: Omit<Presence, 'nextSeal'> = {
  v: 1,
  node,
  sid,
  seq: 7,
  chains: [
    {
      chainId: chainIdOf(seed('record')),
      slot: SLOT,
      check: b64url(presenceCheck(CHAIN, node, sid)),
    },
  ],
  clockOffsetMs: -1.5,
  hop: 0,
};

const DIRECTORY: Directory = {
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

const JOIN: Omit<JoinRequest, 'seal'> = { v: 1, ask: 'admit', node, sid, needsChains: true };

export interface Message {
  readonly kind: string;
  readonly payload: Json;
  /** The signatures that it needs. */
  readonly algs: readonly SignatureAlg[];
}

/** The record first. */
export async function messages(): Promise<readonly Message[]> {
  const seal = b64url((await sealKeyFrom(seed('next seal a'))).public);
  return [
    { kind: 'epoch-record', payload: RECORD, algs: BOTH },
    { kind: 'sealed', payload: await envelope(), algs: BOTH },
    { kind: 'presence', payload: { ...PRESENCE, nextSeal: seal }, algs: ED25519_ONLY },
    { kind: 'workloads', payload: DIRECTORY, algs: ED25519_ONLY },
    { kind: 'join', payload: { ...JOIN, seal }, algs: ED25519_ONLY },
  ];
}
