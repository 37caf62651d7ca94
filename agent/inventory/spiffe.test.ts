// Tests of SPIFFE IDs by template.
import { describe, expect, it } from 'vitest';
import { SPIFFE_TEMPLATES } from '#agent/configSchema.ts';
import { spiffeIdOf } from './spiffe.ts';

const pod = { namespace: 'shop', serviceAccount: 'web' };

describe('spiffeIdOf()', () => {
  it.each([
    [SPIFFE_TEMPLATES[0], 'spiffe://example.org/demo/shop/web'],
    [SPIFFE_TEMPLATES[1], 'spiffe://example.org/ns/shop/sa/web'],
  ])('spiffeIdOf() fills %s', (template, id) => {
    expect(spiffeIdOf({ domain: 'example.org', cluster: 'demo', template }, pod)).toBe(id);
  });

  it('spiffeIdOf() makes no identity of parts that are none', () => {
    const naming = { domain: 'example.org', cluster: 'demo', template: SPIFFE_TEMPLATES[0] };
    for (const serviceAccount of ['', 'a/b', 'a b', '<domain>']) {
      expect(() => spiffeIdOf(naming, { ...pod, serviceAccount })).toThrow(RangeError);
    }
  });

  it('spiffeIdOf() says so when the identity would be longer than a token can hold', () => {
    const naming = { domain: 'd'.repeat(255), cluster: 'demo', template: SPIFFE_TEMPLATES[0] };
    const long = { namespace: 'n'.repeat(200), serviceAccount: 's'.repeat(200) };
    expect(() => spiffeIdOf(naming, long)).toThrow(/has 671 characters, at most 512/);
  });
});
