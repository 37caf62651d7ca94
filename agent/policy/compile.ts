// From policies to the one table that a worker looks up. Pure; the meaning of the table is
// proxy/policy.ts.
import type { CompiledPolicy, CompiledRule } from '#proxy/policy.ts';
import type { ServiceAccessPolicy } from './schema.ts';

/** `enforce` refuses what no rule allows; `observe` decides and tells, and carries it all the same. */
export type PolicyMode = 'enforce' | 'observe';

/**
 * All policies merged: the rules in order, ALLOW by default only if every policy says so and there is
 * one. In `observe` a connection that no rule allows is carried under the rule name `default`.
 */
export function compilePolicies(
  policies: readonly ServiceAccessPolicy[],
  mode: PolicyMode,
  version: number,
): CompiledPolicy {
  const allow =
    mode === 'observe' ||
    (policies.length > 0 && policies.every((policy) => policy.spec.defaultAction === 'ALLOW'));
  return { version, defaultAction: allow ? 'ALLOW' : 'DENY', rules: policies.flatMap(compiled) };
}

const compiled = ({ metadata, spec }: ServiceAccessPolicy): CompiledRule[] =>
  spec.rules.flatMap((rule, index) =>
    rule.to.map((target) => ({
      name: `${metadata.name}/${rule.name ?? index}`,
      from: pattern(rule.from.spiffe),
      to: pattern(target.spiffe),
      ports: [...new Set(target.ports)].sort((a, b) => a - b),
    })),
  );

const pattern = (text: string): string => (text.endsWith('/*') ? text.slice(0, -1) : text);
