// The keys and signed claims of a bus in NATS's decentralized JWT authentication: an operator, an account of the
// cluster, and credentials of nodes that are signed by a key whose scope says what they may do. A server needs
// the claims alone, and knows a node that is added later without being told.
import {
  createAccount,
  createOperator,
  createUser,
  encodeAccount,
  encodeOperator,
  encodeUser,
  fmtCreds,
  newScopedSigner,
} from '@nats-io/jwt';
import type { NodeName } from '#agent/base/brands.ts';
import { grantsOf } from '#agent/epochs/grants.ts';
import { STORAGE_BYTES } from '#agent/epochs/layout.ts';
import { nodeToken, subjectsOf } from '#agent/epochs/subjects.ts';

/** What servers are configured with, and the private keys that sign for them. */
export interface BusTokens {
  readonly operatorJwt: string;
  readonly system: Account;
  readonly account: Account;
  /** Seeds in NATS's form, `S...`: to be kept off the cluster. */
  readonly seeds: {
    readonly operator: Uint8Array;
    readonly system: Uint8Array;
    readonly account: Uint8Array;
    /** Signs nodes. */
    readonly nodes: Uint8Array;
  };
}

export interface Account {
  /** `A...` */
  readonly publicKey: string;
  readonly jwt: string;
}

/** What a server puts the name of a user in place of, nodeToken() of the node. */
const SELF = '{{name()}}';
const NANOS_PER_SECOND = 1e9;
/** How long a conductor has to answer a newcomer whose evidence it verifies. */
const ANSWER_SECONDS = 60;

/** New keys for a bus of `cluster` that stores everything `replicas` times. */
export async function makeTokens(cluster: string, replicas: number): Promise<BusTokens> {
  const [operator, system] = [createOperator(), createAccount()];
  const [account, nodes] = [createAccount(), createAccount()];
  const subjects = subjectsOf(cluster);
  const grants = grantsOf(subjects, SELF);
  const scope = newScopedSigner(nodes, 'node', {
    pub: { allow: [...grants.publish], deny: [] },
    sub: { allow: [...grants.subscribe], deny: [] },
    resp: { max: 1, ttl: ANSWER_SECONDS * NANOS_PER_SECOND },
  });
  const limits = {
    ...UNLIMITED,
    mem_storage: 16 << 20,
    disk_storage: replicas * STORAGE_BYTES,
    streams: Object.keys(subjects.streams).length + Object.keys(subjects.buckets).length,
    consumer: 64,
    max_bytes_required: true,
  };
  const signedByOperator = { signer: operator };
  return {
    operatorJwt: await encodeOperator(`tidelock-${cluster}`, operator, {
      system_account: system.getPublicKey(),
    }),
    system: {
      publicKey: system.getPublicKey(),
      jwt: await encodeAccount('SYS', system, { limits: UNLIMITED }, signedByOperator),
    },
    account: {
      publicKey: account.getPublicKey(),
      jwt: await encodeAccount(
        cluster,
        account,
        { limits, signing_keys: [scope] },
        signedByOperator,
      ),
    },
    seeds: {
      operator: operator.getSeed(),
      system: system.getSeed(),
      account: account.getSeed(),
      nodes: nodes.getSeed(),
    },
  };
}

/** Credentials of a node, as its agent reads them: `nodes` is the seed that signs them. */
export async function nodeCredentials(
  node: NodeName,
  nodes: Uint8Array,
  accountKey: string,
): Promise<Uint8Array> {
  const user = createUser();
  const name = nodeToken(node);
  return fmtCreds(
    await encodeUser(name, user, accountKey, {}, { signer: nodes, scopedUser: true }),
    user,
  );
}

/** Credentials that may do everything in the account, for an operator's tools. */
export async function adminCredentials({ seeds }: BusTokens): Promise<Uint8Array> {
  const user = createUser();
  return fmtCreds(await encodeUser('admin', user, seeds.account), user);
}

/** NATS takes an absent limit for none at all. */
const UNLIMITED = {
  data: -1,
  payload: -1,
  subs: -1,
  imports: -1,
  exports: -1,
  wildcards: true,
  conn: -1,
  leaf: 0,
};
