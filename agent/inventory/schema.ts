// The inventory file's schema. Names are held to what a SPIFFE ID and Kubernetes allow, and nobody may
// claim what another has: a uid, an address, or the name of a service.
import { isIP } from 'node:net';
import { z } from 'zod';
import { nodeName, spiffeId } from '#agent/base/schema.ts';
import { podAddress } from '#proxy/podAddress.ts';

const NAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;
const UID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const MAX_PODS = 1_024;
const MAX_SERVICES = 1_024;
const MAX_ADDRESSES = 16;
const MAX_PORTS = 64;
const MAX_ENDPOINTS = 256;
const MAX_NODES = 1_024;

const named = (what: string): z.ZodString => {
  const error = `must be the ${what}, a DNS name in lower case`;
  return z.string({ error }).regex(NAME, { error });
};

const uidError = 'must be a unique id of letters, digits, dots and dashes, at most 128';
const uid = z.string({ error: uidError }).regex(UID, { error: uidError });
const pathError = 'must be an absolute path';
const absolute = z.string({ error: pathError }).startsWith('/', { error: pathError }).max(4096);

const address = z
  .string({ error: 'must be an IP address' })
  .refine((text) => isIP(text) !== 0 && !text.includes('%'), { error: 'must be an IP address' })
  .transform((text) => podAddress(text) ?? '')
  .refine((text) => text !== '', { error: 'must be an address of the pod itself' });

const pod = z
  .strictObject({
    uid,
    namespace: named('namespace'),
    name: named('name of the pod'),
    serviceAccount: named('service account'),
    labels: z.record(z.string().max(317), z.string().max(63)).default({}),
    imageDigest: z
      .string()
      .regex(DIGEST, { error: 'must be sha256: and 64 hex digits' })
      .optional(),
    ips: z
      .array(address, { error: 'must be a list of addresses' })
      .min(1, { error: 'must have at least one address' })
      .max(MAX_ADDRESSES),
    netns: absolute.optional(),
    cgroup: absolute.optional(),
  })
  .refine((p) => (p.netns === undefined) !== (p.cgroup === undefined), {
    error: 'must have either netns or cgroup',
    when: () => true,
  });

const portError = 'must be a port from 1 to 65535';
const port = z
  .int({ error: portError })
  .min(1, { error: portError })
  .max(65_535, { error: portError });

const servicePort = z
  .strictObject({ port, targetPort: port.optional() })
  .transform(({ port, targetPort = port }) => ({ port, targetPort }));

const nodesError = `must be a list of 1 to ${MAX_NODES} names of nodes`;
const nodes = z
  .array(nodeName, { error: nodesError })
  .min(1, { error: nodesError })
  .max(MAX_NODES, { error: nodesError });

const ready = z.boolean({ error: 'must be true or false' }).default(true);
const ENDPOINTS = {
  address: z.strictObject({ address, ready }),
  uid: z.strictObject({ uid, ready }),
  spiffe: z.strictObject({ spiffe: spiffeId, nodes, ready }),
} as const;

/** Judged as the form that its keys name, so that a problem is told of the key that has it. */
const endpoint = z.unknown().transform((value, context) => {
  const given: object = typeof value === 'object' && value !== null ? value : {};
  const [form, second] = (['address', 'uid', 'spiffe'] as const).filter((key) => key in given);
  if (form === undefined || second !== undefined) {
    const message =
      'must be one of {address}, {uid} and {spiffe, nodes}, each with ready or without';
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  }
  const parsed = ENDPOINTS[form].safeParse(value);
  if (parsed.success) return parsed.data;
  for (const issue of parsed.error.issues) {
    const told = { path: [...issue.path], message: issue.message };
    if (issue.code !== 'unrecognized_keys') context.addIssue({ ...told, code: 'custom' });
    else context.addIssue({ ...told, code: issue.code, keys: issue.keys });
  }
  return z.NEVER;
});

const service = z.strictObject({
  namespace: named('namespace'),
  name: named('name of the service'),
  ips: z
    .array(address, { error: 'must be a list of addresses' })
    .min(1, { error: 'must have at least one address' })
    .max(MAX_ADDRESSES),
  affinity: z.enum(['None', 'ClientIP'], { error: 'must be None or ClientIP' }).default('None'),
  ports: z
    .array(servicePort, { error: 'must be a list of {port, targetPort}' })
    .min(1, { error: 'must have at least one port' })
    .max(MAX_PORTS),
  endpoints: z
    .array(endpoint, { error: 'must be a list of endpoints' })
    .max(MAX_ENDPOINTS, { error: `must have at most ${MAX_ENDPOINTS} endpoints` }),
});

/** `{apiVersion?, kind?, pods: [...], services?: [...]}`. */
export const inventorySchema = z
  .strictObject({
    apiVersion: z.literal('tidelock/v1').optional(),
    kind: z.literal('Inventory').optional(),
    pods: z.array(pod, { error: 'must be a list of pods' }).max(MAX_PODS),
    services: z
      .array(service, { error: 'must be a list of services' })
      .max(MAX_SERVICES, { error: `must have at most ${MAX_SERVICES} services` })
      .default([]),
  })
  .superRefine(({ pods, services }, context) => {
    const seen = new Map<string, string>();
    const once = (what: string, value: string, owner: string, path: PropertyKey[]): void => {
      const first = seen.get(`${what} ${value}`);
      if (first === undefined) seen.set(`${what} ${value}`, owner);
      else {
        const message = `must be claimed once; ${first} has this ${what} too`;
        context.addIssue({ code: 'custom', path, message });
      }
    };
    for (const [index, { uid, ips }] of pods.entries()) {
      const owner = `pods.${index}`;
      once('uid', uid, owner, ['pods', index, 'uid']);
      for (const [i, ip] of ips.entries()) once('address', ip, owner, ['pods', index, 'ips', i]);
    }
    for (const [index, { namespace, name, ips, ports }] of services.entries()) {
      const owner = `services.${index}`;
      const path = ['services', index];
      once('name', `${namespace}/${name}`, owner, [...path, 'name']);
      for (const [i, ip] of ips.entries()) once('address', ip, owner, [...path, 'ips', i]);
      for (const [i, { port }] of ports.entries()) {
        once('port', `${owner} ${port}`, owner, [...path, 'ports', i, 'port']);
      }
    }
  });

/** The file as a whole. */
export type InventoryFile = z.output<typeof inventorySchema>;

/** One pod as the file has it. */
export type InventoryEntry = z.output<typeof pod>;
