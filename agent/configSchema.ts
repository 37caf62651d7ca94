// The one schema of the configuration: every section, every default, every limit. File, environment
// and flags are all judged by it; what depends on another field is completed in config.ts.
import { availableParallelism, hostname } from 'node:os';
import { z } from 'zod';
import type { NodeName } from '#agent/base/brands.ts';
import { nodeName } from '#agent/base/schema.ts';
import { USUAL_LIMITS } from '#proxy/snapshot.ts';
import {
  busUrl,
  hostAddress,
  listenAddress,
  matching,
  networks,
  oneOf,
  owner,
  path,
  persistentHandle,
  port,
  present,
  ranges,
  section,
  tcti,
  whole,
} from './configFields.ts';

const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/;
const DNS_LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

const bus = section({
  servers: z
    .array(busUrl(), { error: 'must be a list of servers' })
    .min(1, { error: 'must name at least one server' })
    .max(64, { error: 'must name at most 64 servers' }),
  /** How many servers keep each message. */
  replicas: z
    .union([z.literal(1), z.literal(3), z.literal(5)], { error: 'must be 1, 3 or 5' })
    .default(1),
  nkeySeedFile: path('the NATS nkey seed').optional(),
  credentialsFile: path('the NATS credentials').optional(),
  tls: z
    .strictObject({
      caFile: path('the CA certificate of the bus, PEM').optional(),
      certFile: path('the client certificate, PEM').optional(),
      keyFile: path('the client key, PEM').optional(),
    })
    .refine((tls) => (tls.certFile === undefined) === (tls.keyFile === undefined), {
      error: 'must have both certFile and keyFile, or neither',
    })
    .optional(),
}).refine((b) => b.nkeySeedFile === undefined || b.credentialsFile === undefined, {
  error: 'must have nkeySeedFile or credentialsFile, not both',
});

const tpm = section({
  tcti: tcti().default('device:/dev/tpmrm0'),
  akHandle: persistentHandle().default(0x81010100),
  eventLog: path('the firmware event log').default(
    '/sys/kernel/security/tpm0/binary_bios_measurements',
  ),
});

const attestation = section({
  ekRoots: path('the directory or bundle with the TPM vendors’ root certificates'),
  policyFile: path('the owner-signed attestation policy'),
  enrolmentFile: path('this node’s owner-signed enrolment').optional(),
  referenceFile: path('the owner-signed reference policy').optional(),
  delegationFile: path('the owner-signed delegation of enrolment').optional(),
  renewSeconds: whole('seconds', 10, 86_400).default(600),
});

const epochs = section({
  periodMs: whole('milliseconds', 1_000, 30_000).default(10_000),
  maxStalenessSeconds: whole('seconds', 10, 86_400).default(1_800),
  onStale: oneOf('closed', 'open-lanes').default('closed'),
  knowAllUpTo: whole('', 0, 20_000).default(500),
  /** Where the conductor's lease is kept; the same on all nodes of a cluster. */
  lease: oneOf('bus', 'kubernetes').default('bus'),
});

const kubernetes = section({
  kubeconfig: path('a kubeconfig').optional(),
  namespace: matching(
    DNS_LABEL,
    'must be a namespace: a-z, 0-9 and -, at most 63 characters',
  ).optional(),
});

const limits = section({
  perPodLanes: whole('', 1, 1_000_000).default(USUAL_LIMITS.perPodLanes),
  perPodOpeningsPerSecond: whole('', 1, 1_000_000).default(USUAL_LIMITS.perPodOpeningsPerSecond),
  perPeerLanes: whole('', 1, 1_000_000).default(USUAL_LIMITS.perPeerLanes),
  perPeerOpeningsPerSecond: whole('', 1, 1_000_000).default(USUAL_LIMITS.perPeerOpeningsPerSecond),
});

const lanes = section({
  address: hostAddress('must be the IP address at which other nodes reach this one'),
  port: port().default(15_008),
  workers: whole('', 1, 256).default(() => Math.min(256, availableParallelism())),
  uid: whole('', 1, 0xfffffffe).default(15_008),
  podNetworks: networks('in which pods have their addresses, on every node'),
  inbound: oneOf('refuse', 'plain').optional(),
  inboundExcept: ranges('sources whose plaintext a pod takes on these ports'),
  unmeshed: oneOf('refuse', 'plain').optional(),
  unmeshedExcept: ranges('destinations without an agent that are reached in the clear'),
  udp: oneOf('leave', 'refuse').default('leave'),
  udpExcept: ranges('destinations of UDP that is not refused'),
  sourceAddress: oneOf('preserve', 'pod').default('preserve'),
  onStop: oneOf('closed', 'open').default('closed'),
  limits: present(limits),
  halfClosedSeconds: whole('seconds', 10, 604_800).default(USUAL_LIMITS.halfClosedMs / 1000),
});

const policy = section({
  files: z
    .array(path('a ServiceAccessPolicy file, or of a directory with some'))
    .max(256)
    .default([]),
  mode: oneOf('enforce', 'observe').default('enforce'),
});

/** How a pod's SPIFFE ID is made of its place (PROTOCOL 2). */
export const SPIFFE_TEMPLATES = [
  'spiffe://<domain>/<cluster>/<namespace>/<serviceaccount>',
  'spiffe://<domain>/ns/<namespace>/sa/<serviceaccount>',
] as const;

const inventory = section({
  file: path('the inventory of this node’s pods'),
  spiffeTemplate: oneOf(...SPIFFE_TEMPLATES).default(SPIFFE_TEMPLATES[0]),
});

const probes = section({ enabled: z.boolean().default(true) });

const api = section({
  controlSocket: path('the control socket').optional(),
  healthAddress: listenAddress().default('127.0.0.1:8055'),
});

const log = section({ level: oneOf('debug', 'info', 'warn', 'error').default('info') });

const paths = section({
  stateDir: path('the state directory').default('/var/lib/tidelock'),
  runDir: path('the runtime directory').optional(),
});

/** Everything that can be configured. */
export const configSchema = section({
  domain: matching(TRUST_DOMAIN, 'must be a trust domain such as example.org'),
  cluster: matching(DNS_LABEL, 'must be a DNS label: a-z, 0-9 and -, at most 63 characters'),
  // A host name is only taken when it is a node name, so it passes the schema like any other value.
  node: nodeName.prefault(() => hostname().toLowerCase() as NodeName),
  owners: z
    .array(owner(), { error: 'must be a list with at least one owner' })
    .min(1, { error: 'must name at least one owner' })
    .max(16, { error: 'must name at most 16 owners' }),
  bus: present(bus),
  tpm: present(tpm),
  attestation: present(attestation),
  epochs: present(epochs),
  kubernetes: present(kubernetes),
  lanes: present(lanes),
  policy: present(policy),
  inventory: present(inventory),
  probes: present(probes),
  api: present(api),
  audit: present(section({})),
  log: present(log),
  paths: present(paths),
});

/** The configuration as the schema leaves it, before `config.ts` completes it. */
export type ParsedConfig = z.output<typeof configSchema>;
