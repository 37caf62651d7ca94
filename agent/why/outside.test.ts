// Tests of the chain of causes where it leaves lanes: services, destinations without an agent, plaintext.
import { describe, expect, it } from 'vitest';
import { BY_DEFAULT } from '#proxy/redirect/plaintext.fixture.ts';
import { NO_COUNTS } from '#proxy/redirect/ruleCounters.ts';
import { ask, brokenAt, id, nodeB } from './facts.fixture.ts';
import { remedyFor } from './remedies.ts';

describe('whyOf()', () => {
  it('whyOf() lets a destination without an agent pass where that is configured', () => {
    expect(ask({ unmeshed: 'plain' }, '8.8.8.8:53')).toMatchObject({ verdict: 'holds' });
    const unmeshedExcept = [{ network: '8.0.0.0/8', ports: [53] }];
    expect(ask({ unmeshedExcept }, '8.8.8.8:53').links.at(-2)?.text).toMatch(
      /in the clear \(lanes\.unmeshedExcept: 8\.0\.0\.0\/8 port 53\)/,
    );
    expect(brokenAt(ask({ unmeshedExcept }, '8.8.8.8:80'))).toBe('destination');
    expect(ask({ unmeshedExcept }, '8.8.8.8').verdict).toBe('holds');
  });

  const service = {
    namespace: 'shop',
    name: 'store',
    ips: ['10.96.0.10'],
    affinity: 'None',
    ports: [{ port: 80, targetPort: 5432 }],
    endpoints: [
      { uid: 'uid-db', ready: true },
      { address: '192.0.2.1', ready: true },
    ],
  } as const;
  const services = [service];
  it.each(['10.96.0.10:80', 'shop/store:80', 'store.shop.svc:80', 'store.shop.svc'])(
    'whyOf() follows the service %s to an endpoint, its target port and its policy',
    (to) => {
      const why = ask({ services }, to);
      expect(why.verdict).toBe('holds');
      expect(why.links.find(({ id: link }) => link === 'destination')?.text).toBe(
        'service shop/store leads to 198.19.2.10:5432; not ready: 192.0.2.1:5432 has no agent; ' +
          `uid-db (${id('db')}) lives on node-b`,
      );
      expect(why.links.find(({ id: link }) => link === 'policy')?.text).toContain('port 5432');
    },
  );

  it('whyOf() names what is wrong with each endpoint where none of a service is ready', () => {
    const gone = { services, peers: [{ ...nodeB, send: { refused: 'no chain yet' } }] };
    expect(ask(gone, 'shop/store:80')).toMatchObject({
      verdict: 'broken',
      answer:
        'service shop/store has no ready endpoint of 2 declared; not ready: ' +
        '198.19.2.10:5432 is of node-b: no chain yet, 192.0.2.1:5432 has no agent',
      remedy: remedyFor('no-endpoint'),
    });
    expect(ask({ services }, 'shop/store:81').answer).toBe(
      'service shop/store has port 80, not 81',
    );
    expect(ask({ services: [{ ...service, endpoints: [] }] }, 'shop/store:80').answer).toMatch(
      /no ready endpoint of 0 declared/,
    );
    expect(ask({ services, peers: [], unmeshed: 'plain' }, 'shop/store:80')).toMatchObject({
      verdict: 'holds',
    });
  });

  it('whyOf() takes a service for no source, and offers one that may be meant', () => {
    expect(ask({ services }, undefined, 'shop/store').answer).toMatch(/makes no connections/);
    expect(ask({ services }, 'shop/stroe').remedy).toContain('shop/store');
  });

  const refusing = {
    settings: {
      ...BY_DEFAULT,
      inboundExcept: [{ network: '10.0.0.0/24', ports: [8080] }],
      udp: 'refuse',
    },
    counts: { ...NO_COUNTS, refusedIn: 12, plainIn: 3, udpRefused: 1 },
    refused: [{ address: '192.0.2.7', port: 22, count: 2, agoMs: 5_000 }],
  } as const;
  it('whyOf() says what passes a pod outside of lanes, and holds nothing against it', () => {
    expect(ask({ outside: refusing }).links.at(-1)).toEqual({
      id: 'outside',
      state: 'holds',
      text:
        'plaintext from outside is refused but for 10.0.0.0/24 port 8080, 12 packets refused, ' +
        'the last one from 192.0.2.7 to port 22 5 s ago (2 in ten minutes), 3 connections let in; ' +
        'UDP is refused, 1 packet refused, 0 packets out and 0 in',
    });
    expect(ask({}).links.at(-1)?.text).toBe('plaintext from outside is refused; UDP is left alone');
  });

  it.each<[from: string, to: string, verdict: 'holds' | 'broken', text: RegExp]>([
    ['10.0.0.9', 'shop/web-0:8080', 'holds', /let in by lanes\.inboundExcept, 10\.0\.0\.0\/24/],
    ['10.0.0.9', 'shop/web-0', 'holds', /let in by lanes\.inboundExcept/],
    ['10.0.0.9', 'shop/web-0:22', 'broken', /none came lately/],
    ['192.0.2.7', 'shop/web-0:22', 'broken', /is reset .*; from 192\.0\.2\.7 to port 22 5 s ago/],
  ])('whyOf() judges plaintext of %s to %s', (from, to, verdict, text) => {
    const why = ask({ outside: refusing }, to, from);
    expect(why.verdict).toBe(verdict);
    expect(why.links.at(-1)).toMatchObject({ id: 'outside', text: expect.stringMatching(text) });
    expect(why.links.map((link) => link.id)).toEqual(['pod', 'namespace', 'redirect', 'outside']);
  });
});
