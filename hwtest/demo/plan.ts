// What the demo builds: two nodes, servers and clients on both, one stranger, and who may talk to
// whom. Constants and names only.
import { randomBytes } from 'node:crypto';
import type { ServiceAccessPolicy } from '#agent/policy/schema.ts';
import type { PodPlan } from '#hwtest/rig/rig.ts';
import { HTTP_PORT, REDIS_PORT } from '#hwtest/rig/servers.ts';

export const DOMAIN = 'demo.tidelock';
export const CLUSTER = 'demo';
export const PERIOD_MS = 5_000;
export const RENEW_SECONDS = 60;
export const NODES = ['node-a', 'node-b'] as const;

const pod = (name: string, node: string, serviceAccount: string): PodPlan => ({
  name,
  node,
  namespace: 'demo',
  serviceAccount,
});

/** The same pods on both nodes; the stranger has an identity that no rule names. */
export const PODS: readonly PodPlan[] = [
  pod('web-a', 'node-a', 'web'),
  pod('cache-a', 'node-a', 'cache'),
  pod('client-a', 'node-a', 'client'),
  pod('stranger', 'node-a', 'stranger'),
  pod('web-b', 'node-b', 'web'),
  pod('cache-b', 'node-b', 'cache'),
  pod('client-b', 'node-b', 'client'),
];

/** A client and the server it uses. */
export interface Conversation {
  readonly client: string;
  readonly server: string;
}

/** curl to nginx: both ways between the nodes, and one pair on the same node. */
export const WEB: readonly Conversation[] = [
  { client: 'client-a', server: 'web-b' },
  { client: 'client-b', server: 'web-a' },
  { client: 'client-a', server: 'web-a' },
];

/** redis-cli and redis-benchmark to redis-server, both ways. */
export const CACHE: readonly Conversation[] = [
  { client: 'client-a', server: 'cache-b' },
  { client: 'client-b', server: 'cache-a' },
];

/** Must never get an answer while agents run. */
export const FORBIDDEN: Conversation = { client: 'stranger', server: 'web-b' };

const id = (serviceAccount: string): string =>
  `spiffe://${DOMAIN}/${CLUSTER}/demo/${serviceAccount}`;

export const POLICY: ServiceAccessPolicy = {
  apiVersion: 'tidelock/v1',
  kind: 'ServiceAccessPolicy',
  metadata: { name: 'demo' },
  spec: {
    defaultAction: 'DENY',
    rules: [
      {
        name: 'clients',
        from: { spiffe: id('client') },
        to: [
          { spiffe: id('web'), ports: [HTTP_PORT] },
          { spiffe: id('cache'), ports: [REDIS_PORT] },
        ],
      },
    ],
  },
};

/** By server pod: a text that its clients read from it and that no other traffic contains. */
export type Canaries = ReadonlyMap<string, string>;

export const drawCanaries = (): Canaries =>
  new Map(
    [...WEB, ...CACHE].map(({ server }) => [
      server,
      `canary-${server}-${randomBytes(16).toString('hex')}`,
    ]),
  );
