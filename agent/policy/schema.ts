// ServiceAccessPolicy, the manifest: who may open connections to whom, on which ports.
import { z } from 'zod';
import { isSpiffeId } from '#agent/base/brands.ts';

const NAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;
const RULE_NAME = /^[A-Za-z]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$/;
const MAX_RULES = 1_000;
const MAX_TARGETS = 256;
const MAX_PORTS = 64;

const patternError =
  'must be a SPIFFE ID such as spiffe://example.org/c/namespace/account, or a prefix that ends in /*';
const spiffePattern = z
  .string({ error: patternError })
  .refine((text) => isSpiffeId(text.endsWith('/*') ? `${text.slice(0, -1)}x` : text), {
    error: patternError,
  });

const portError = 'must be a port from 1 to 65535';
const ports = z
  .array(z.int({ error: portError }).min(1, portError).max(65_535, portError), {
    error: 'must be a list of ports',
  })
  .min(1, { error: 'must name a port; leave ports out to mean every port' })
  .max(MAX_PORTS);

const nameError = 'must be a DNS name in lower case';
const ruleNameError =
  'must begin with a letter and have letters, digits, dots and dashes, at most 64';
const objectError = 'must be a section with settings';

const rule = z.strictObject(
  {
    name: z.string({ error: ruleNameError }).regex(RULE_NAME, { error: ruleNameError }).optional(),
    from: z.strictObject({ spiffe: spiffePattern }, { error: objectError }),
    to: z
      .array(z.strictObject({ spiffe: spiffePattern, ports: ports.optional() }), {
        error: 'must be a list of {spiffe, ports?}',
      })
      .min(1, { error: 'must name at least one destination' })
      .max(MAX_TARGETS),
  },
  { error: objectError },
);

/** One policy document. */
export const policySchema = z.strictObject(
  {
    apiVersion: z.literal('tidelock/v1', { error: 'must be tidelock/v1' }),
    kind: z.literal('ServiceAccessPolicy', { error: 'must be ServiceAccessPolicy' }),
    metadata: z.strictObject(
      { name: z.string({ error: nameError }).regex(NAME, { error: nameError }) },
      { error: 'must be {name}' },
    ),
    spec: z.strictObject(
      {
        defaultAction: z
          .enum(['DENY', 'ALLOW'], { error: 'must be DENY or ALLOW' })
          .default('DENY'),
        rules: z
          .array(rule, { error: 'must be a list of rules' })
          .max(MAX_RULES)
          .default([])
          .superRefine((rules, context) => {
            const seen = new Set<string>();
            for (const [index, { name }] of rules.entries()) {
              if (name === undefined) continue;
              if (seen.has(name)) {
                const message = 'must be the name of one rule only';
                context.addIssue({ code: 'custom', path: [index, 'name'], message });
              }
              seen.add(name);
            }
          }),
      },
      { error: objectError },
    ),
  },
  { error: 'must be a ServiceAccessPolicy' },
);

/** One policy, as its file has it. */
export type ServiceAccessPolicy = z.output<typeof policySchema>;
