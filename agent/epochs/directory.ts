// The workload directory (PROTOCOL 3.6): each node says which pods live on it and where its lane port
// is. It only routes: identity is proven by MAID inside the lane.
import { z } from 'zod';
import type { SigningKey, SigningPublic } from '#agent/base/asymmetric.ts';
import type { NodeName } from '#agent/base/brands.ts';
import { nodeName, parseAs, sid, spiffeId } from '#agent/base/schema.ts';
import {
  ED25519_ONLY,
  signDocument,
  verifyDocument,
  type SignedDocument,
} from '#agent/base/signed.ts';
import { podAddress } from '#proxy/podAddress.ts';
import { canonicalAddress } from '#proxy/see/address.ts';

const KIND = 'workloads';
/** Loopback and the like would make a peer somebody else to whoever believes it. */
const IP = z
  .string()
  .transform((text) => podAddress(text) ?? '')
  .refine((ip) => ip !== '', { error: 'must be the address of one host' });

const schema = z.strictObject({
  v: z.literal(1),
  node: nodeName,
  sid,
  seq: z.int().min(0),
  lane: z.strictObject({ address: IP, port: z.int().min(1).max(65_535) }),
  pods: z
    .array(
      z.strictObject({
        uid: z.string().min(1).max(128),
        ips: z.array(IP).max(16),
        spiffeId,
        /** Declared ports, for people; the destination's own agent decides what is open. */
        ports: z.array(z.int().min(1).max(65_535)).max(64),
      }),
    )
    .max(1_024),
});

export type Directory = z.infer<typeof schema>;

export const signDirectory = (directory: Directory, key: SigningKey): SignedDocument =>
  signDocument(KIND, directory, key, ED25519_ONLY);

/** Errors: DOCUMENT_MALFORMED, SIGNATURE_INVALID. */
export const openDirectory = (document: unknown, signer: SigningPublic): Directory =>
  parseAs(schema, verifyDocument(document, KIND, [signer], ED25519_ONLY), {
    code: 'DOCUMENT_MALFORMED',
    op: 'directory.parse',
    what: 'workload directory',
    hint: 'The peer runs an incompatible version; upgrade agents one minor version at a time.',
  });

type Claims = Pick<Directory, 'node' | 'pods'>;

/** Addresses that more than one node claims: a finding, and refused as destinations. */
export const contestedAddresses = (
  directories: readonly Claims[],
): ReadonlyMap<string, readonly NodeName[]> =>
  contested(directories, ({ ips }) => ips.map((ip) => canonicalAddress(ip) ?? ip));

/** Uids of pods that more than one node claims: a finding, and no endpoints. */
export const contestedUids = (
  directories: readonly Claims[],
): ReadonlyMap<string, readonly NodeName[]> => contested(directories, ({ uid }) => [uid]);

function contested(
  directories: readonly Claims[],
  claimed: (pod: Directory['pods'][number]) => readonly string[],
): ReadonlyMap<string, readonly NodeName[]> {
  const claims = new Map<string, NodeName[]>();
  for (const { node, pods } of directories) {
    for (const claim of new Set(pods.flatMap(claimed))) {
      claims.set(claim, [...(claims.get(claim) ?? []), node]);
    }
  }
  return new Map([...claims].filter(([, nodes]) => nodes.length > 1));
}
