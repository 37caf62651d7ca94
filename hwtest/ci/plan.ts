// What a rig for a pipeline consists of: two nodes, and the pods and policies of a plan that its user
// may write. Names and defaults only.
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { messageOf, TidelockError } from '#agent/base/errors.ts';
import { problemsOf } from '#agent/base/schema.ts';
import { policySchema } from '#agent/policy/schema.ts';

export const NODES = ['node-a', 'node-b'] as const;
export const DOMAIN = 'ci.tidelock';
export const CLUSTER = 'ci';

const NAME = /^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$/;
const name = z.string().regex(NAME, { error: 'must be a name of a-z, 0-9 and -, at most 32' });

const identity = (account: string): string => `spiffe://${DOMAIN}/${CLUSTER}/default/${account}`;

/** Used where a plan has no policies: `client` may reach `server`, nobody else anybody. */
const CLIENTS_REACH_SERVERS = {
  apiVersion: 'tidelock/v1' as const,
  kind: 'ServiceAccessPolicy' as const,
  metadata: { name: 'ci' },
  spec: {
    defaultAction: 'DENY' as const,
    rules: [
      {
        name: 'clients',
        from: { spiffe: identity('client') },
        to: [{ spiffe: identity('server') }],
      },
    ],
  },
};

const planSchema = z.strictObject({
  pods: z
    .array(
      z.strictObject({
        name,
        node: z.enum(NODES),
        namespace: name.default('default'),
        serviceAccount: name,
      }),
    )
    .min(1)
    .max(32)
    .default([
      { name: 'client', node: 'node-a', namespace: 'default', serviceAccount: 'client' },
      { name: 'stranger', node: 'node-a', namespace: 'default', serviceAccount: 'stranger' },
      { name: 'server', node: 'node-b', namespace: 'default', serviceAccount: 'server' },
    ]),
  policies: z.array(policySchema).default([CLIENTS_REACH_SERVERS]),
  periodMs: z.int().min(1_000).max(30_000).default(5_000),
});

export type Plan = z.output<typeof planSchema>;

/** The plan in `file`, or the one that holds without. Errors: USAGE. */
export function readPlan(file: string | undefined): Plan {
  if (file === undefined) return planSchema.parse({});
  let read: unknown;
  try {
    read = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw unusable(file, messageOf(cause));
  }
  const parsed = planSchema.safeParse(read);
  if (parsed.success) return parsed.data;
  throw unusable(file, problemsOf(parsed.error).join('; '));
}

const unusable = (file: string, state: string): TidelockError =>
  new TidelockError('USAGE', {
    op: 'ci.plan',
    message: `Cannot use the plan ${file}: ${state}`,
    hint: 'It is JSON with pods, policies and periodMs, each of which may be left out; docs/ci.md has one.',
  });
