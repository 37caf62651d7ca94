// The inventory file's schema. Names are held to what a SPIFFE ID and Kubernetes allow, and no two
// pods may claim one uid or one address.
import { isIP, SocketAddress } from 'node:net';
import { z } from 'zod';

const NAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;
const UID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const MAX_PODS = 1_024;
const MAX_ADDRESSES = 16;

const named = (what: string): z.ZodString => {
  const error = `must be the ${what}, a DNS name in lower case`;
  return z.string({ error }).regex(NAME, { error });
};

const uidError = 'must be a unique id of letters, digits, dots and dashes, at most 128';
const pathError = 'must be an absolute path';
const absolute = z.string({ error: pathError }).startsWith('/', { error: pathError }).max(4096);

/** Loopback and unspecified addresses exist in every namespace and lead to no pod. */
const NOBODYS = new Set(['0.0.0.0', '::', '::1']);

const address = z
  .string({ error: 'must be an IP address' })
  .refine((text) => isIP(text) !== 0 && !text.includes('%'), { error: 'must be an IP address' })
  .transform((text) => (isIP(text) === 6 ? canonicalIpv6(text) : text))
  .refine((text) => !NOBODYS.has(text) && !text.startsWith('127.'), {
    error: 'must be an address of the pod itself',
  });

const canonicalIpv6 = (text: string): string =>
  new SocketAddress({ address: text, family: 'ipv6' }).address;

const pod = z
  .strictObject({
    uid: z.string({ error: uidError }).regex(UID, { error: uidError }),
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

/** `{apiVersion?, kind?, pods: [...]}`. */
export const inventorySchema = z.strictObject({
  apiVersion: z.literal('tidelock/v1').optional(),
  kind: z.literal('Inventory').optional(),
  pods: z
    .array(pod, { error: 'must be a list of pods' })
    .max(MAX_PODS)
    .superRefine((pods, context) => {
      const seen = new Map<string, number>();
      const once = (what: string, value: string, path: PropertyKey[], index: number): void => {
        const first = seen.get(`${what} ${value}`);
        if (first === undefined) seen.set(`${what} ${value}`, index);
        else {
          const message = `must be claimed once; pods.${first} has this ${what} too`;
          context.addIssue({ code: 'custom', path, message });
        }
      };
      for (const [index, { uid, ips }] of pods.entries()) {
        once('uid', uid, [index, 'uid'], index);
        for (const [i, ip] of ips.entries()) once('address', ip, [index, 'ips', i], index);
      }
    }),
});

/** One pod as the file has it. */
export type InventoryEntry = z.output<typeof pod>;
