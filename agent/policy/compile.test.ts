// Tests of what a set of policies means, against a second reading of the manifests.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SpiffeId } from '#agent/base/brands.ts';
import { decide } from '#proxy/policy.ts';
import { compilePolicies } from './compile.ts';
import { policySchema, type ServiceAccessPolicy } from './schema.ts';

const policy = (name: string, spec: object): ServiceAccessPolicy =>
  policySchema.parse({
    apiVersion: 'tidelock/v1',
    kind: 'ServiceAccessPolicy',
    metadata: { name },
    spec,
  });

const id = (path: string): SpiffeId => `spiffe://example.org/${path}` as SpiffeId;
const web = id('demo/shop/web');
const db = id('demo/shop/db');

/** The second reading: a pattern as a regular expression. */
const covers = (glob: string, text: string): boolean =>
  new RegExp(`^${glob.replaceAll('.', '\\.').replace(/\*$/, '.*')}$`).test(text);

describe('compilePolicies()', () => {
  it('compilePolicies() denies when there is no policy at all', () => {
    expect(decide(compilePolicies([], 'enforce', 1), web, db, 80)).toEqual({
      allow: false,
      rule: 'default',
    });
  });

  it('compilePolicies() names a rule after its policy and its own name or place', () => {
    const to = [{ spiffe: db, ports: [6379, 80, 80] }, { spiffe: id('demo/other/*') }];
    const rules = [
      { name: 'cache', from: { spiffe: web }, to },
      { from: { spiffe: db }, to },
    ];
    expect(compilePolicies([policy('shop', { rules })], 'enforce', 7)).toEqual({
      version: 7,
      defaultAction: 'DENY',
      rules: [
        { name: 'shop/cache', from: web, to: db, ports: [80, 6379] },
        { name: 'shop/cache', from: web, to: id('demo/other/'), ports: [] },
        { name: 'shop/1', from: db, to: db, ports: [80, 6379] },
        { name: 'shop/1', from: db, to: id('demo/other/'), ports: [] },
      ],
    });
  });

  it('compilePolicies() lets a single DENY win over every ALLOW', () => {
    const allow = policy('a', { defaultAction: 'ALLOW' });
    const deny = policy('b', { defaultAction: 'DENY' });
    expect(compilePolicies([allow, allow], 'enforce', 1).defaultAction).toBe('ALLOW');
    expect(compilePolicies([allow, deny], 'enforce', 1).defaultAction).toBe('DENY');
    expect(compilePolicies([policy('c', {})], 'enforce', 1).defaultAction).toBe('DENY');
  });

  it('compilePolicies() blocks nothing in observe, and still tells the rule', () => {
    const rules = [{ name: 'r', from: { spiffe: web }, to: [{ spiffe: db, ports: [80] }] }];
    const compiled = compilePolicies([policy('p', { rules })], 'observe', 1);
    expect(decide(compiled, web, db, 80)).toEqual({ allow: true, rule: 'p/r' });
    expect(decide(compiled, web, db, 81)).toEqual({ allow: true, rule: 'default' });
  });

  it('compilePolicies() agrees with the manifests read by hand', () => {
    const name = fc.constantFrom('a', 'ab', 'b');
    const path = fc.tuple(name, name).map(([x, y]) => `${x}/${y}`);
    const pattern = fc
      .oneof(
        path,
        name.map((x) => `${x}/*`),
        fc.constant('*'),
      )
      .map(id);
    const port = fc.integer({ min: 1, max: 3 });
    const target = fc.record(
      { spiffe: pattern, ports: fc.array(port, { minLength: 1, maxLength: 3 }) },
      { requiredKeys: ['spiffe'] },
    );
    const rule = fc.record({
      from: fc.record({ spiffe: pattern }),
      to: fc.array(target, { minLength: 1, maxLength: 3 }),
    });
    const rulesets = fc.array(fc.array(rule, { maxLength: 4 }), { maxLength: 3 });
    fc.assert(
      fc.property(rulesets, path.map(id), path.map(id), port, (sets, from, to, at) => {
        const policies = sets.map((rules, i) => policy(`p${i}`, { rules }));
        const expected = sets
          .flat()
          .some(
            (r) =>
              covers(r.from.spiffe, from) &&
              r.to.some((t) => covers(t.spiffe, to) && (t.ports?.includes(at) ?? true)),
          );
        expect(decide(compilePolicies(policies, 'enforce', 1), from, to, at).allow).toBe(expected);
      }),
    );
  });
});
