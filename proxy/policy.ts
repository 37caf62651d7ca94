// The compiled access policy: the table that a worker looks up, and the lookup. Parsing and
// compiling belong to agent/policy/.
import type { SpiffeId } from '#agent/base/brands.ts';

export interface CompiledPolicy {
  /** Rises whenever the meaning may have changed; open lanes are then judged again. */
  readonly version: number;
  readonly defaultAction: 'ALLOW' | 'DENY';
  readonly rules: readonly CompiledRule[];
}

export interface CompiledRule {
  /** `<policy name>/<rule name or index>`, as shown to operators. */
  readonly name: string;
  /** Exact SPIFFE ID, or a prefix that ends in `/` (written `.../*` in the policy). */
  readonly from: string;
  readonly to: string;
  /** Sorted destination ports; empty means every port. */
  readonly ports: readonly number[];
}

export interface Decision {
  readonly allow: boolean;
  /** The rule that decided, or `default`. */
  readonly rule: string;
}

/** Whether `from` may open a connection to `to` on `port`; the first matching rule allows. */
export function decide(
  policy: CompiledPolicy,
  from: SpiffeId,
  to: SpiffeId,
  port: number,
): Decision {
  for (const rule of policy.rules) {
    if (!matches(rule.from, from) || !matches(rule.to, to)) continue;
    if (rule.ports.length === 0 || rule.ports.includes(port))
      return { allow: true, rule: rule.name };
  }
  return { allow: policy.defaultAction === 'ALLOW', rule: 'default' };
}

const matches = (pattern: string, id: SpiffeId): boolean =>
  pattern.endsWith('/') ? id.startsWith(pattern) : pattern === id;
