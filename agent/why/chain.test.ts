// Tests of the chain of causes: each link is broken in turn, and the first broken one is the answer.
import { describe, expect, it } from 'vitest';
import { whySchema, type LinkId } from '#agent/api/why.ts';
import { whyText } from '#agent/api/whyText.ts';
import type { ChainId, NodeName, Sid, SpiffeId } from '#agent/base/brands.ts';
import { REFUSALS } from '#proxy/counters.ts';
import { BY_DEFAULT } from '#proxy/redirect/plaintext.fixture.ts';
import { NO_COUNTS } from '#proxy/redirect/ruleCounters.ts';
import { whyOf } from './chain.ts';
import type { ConnectionFacts, PeerFacts, PodFacts, WhyFacts } from './facts.ts';
import { readQuestion } from './question.ts';
import { remedyFor } from './remedies.ts';

const NOW = 1_700_000_000_000;
const id = (account: string): SpiffeId => `spiffe://example.org/prod/shop/${account}` as SpiffeId;

const web: PodFacts = {
  uid: 'uid-web',
  namespace: 'shop',
  name: 'web-0',
  spiffeId: id('web'),
  ips: ['198.19.1.10'],
  netns: { path: '/run/netns/web' },
  captured: true,
};
const cart: PodFacts = {
  ...web,
  uid: 'uid-cart',
  name: 'cart-0',
  spiffeId: id('cart'),
  ips: ['198.19.1.11'],
};
const db = { uid: 'uid-db', spiffeId: id('db'), ips: ['198.19.2.10'] };
const nodeB: PeerFacts = {
  node: 'node-b' as NodeName,
  accepted: { verdict: 'affirming', expiresInMs: 600_000 },
  lane: { address: '198.18.0.12', port: 15_008 },
  pods: [db],
  send: {
    chainId: 'c'.repeat(32) as ChainId,
    ownSid: 'a'.repeat(32) as Sid,
    peerSid: 'b'.repeat(32) as Sid,
  },
  algorithm: 'KMAC256/AES-256-GCM',
};
const facts: WhyFacts = {
  node: 'node-a' as NodeName,
  nowMs: NOW,
  pods: [web, cart],
  rules: 'intact',
  dataPlane: { state: 'running', pid: 7, restarts: 0 },
  self: { verdict: 'affirming', reason: '', admitted: true },
  peers: [nodeB],
  policy: {
    version: 1,
    defaultAction: 'DENY',
    rules: [{ name: 'shop/0', from: id('web'), to: id('db'), ports: [5432] }],
  },
  policyMode: 'enforce',
  unmeshed: 'refuse',
  unmeshedExcept: [],
  services: [],
  outside: { settings: BY_DEFAULT, refused: [] },
  epochs: { state: 'in-step', text: 'records come' },
  reach: {},
  connections: { live: 2, openedAt: NOW - 5_000 },
};

const ask = (change: Partial<WhyFacts>, to?: string, pod = 'shop/web-0') => {
  const why = whyOf({ ...facts, ...change }, readQuestion(pod, to));
  expect(whySchema.strict().parse(why)).toEqual(why);
  return why;
};
const brokenAt = (why: ReturnType<typeof ask>): LinkId | undefined =>
  why.links.find(({ state }) => state === 'broken')?.id;

describe('whyOf()', () => {
  it.each(['uid-db:5432', '198.19.2.10:5432', `${id('db')}:5432`, '198.19.2.10'])(
    'whyOf() holds from end to end, to %s',
    (to) => {
      const why = ask({}, to);
      expect(why).toMatchObject({ verdict: 'holds', answer: 'every link holds' });
      expect(why.remedy).toBeUndefined();
      expect(why.links.map((link) => link.id)).toEqual([
        'pod',
        'namespace',
        'identity',
        'redirect',
        'data-plane',
        'node',
        'destination',
        'peer',
        'policy',
        'epoch',
        'lane-port',
        'connections',
      ]);
    },
  );

  it.each(['shop/web-0', 'web-0', 'uid-web', '198.19.1.10', id('web')])(
    'whyOf() knows a pod of this node as %s',
    (pod) => {
      expect(ask({}, undefined, pod).links[0]?.text).toContain('uid-web');
    },
  );

  it('whyOf() says of a redirect that holds when clients are not shown, and why', () => {
    const sourceProblem = 'it has no default route';
    const { links } = ask({ pods: [{ ...web, sourceProblem }, cart] });
    const redirect = links.find((link) => link.id === 'redirect');
    expect(redirect).toMatchObject({
      state: 'holds',
      text: expect.stringContaining(sourceProblem),
    });
  });

  const out = { accepted: undefined };
  const peer = (change: Partial<PeerFacts>) => ({ peers: [{ ...nodeB, ...change }] });
  const pod = (change: Partial<PodFacts>) => ({ pods: [{ ...web, ...change }, cart] });
  const problem = { message: 'Cannot x', hint: 'do y' };
  it.each<[LinkId, Partial<WhyFacts>, RegExp, RegExp]>([
    ['pod', { pods: [] }, /no pod .* called shop\/web-0/, /inventory\.file/],
    ['pod', { pods: [cart], inventoryProblem: problem }, /not in use: Cannot x/, /do y/],
    ['namespace', pod({ netns: { problem: 'no process in it' } }), /no process/, /cgroup/],
    ['redirect', pod({ captured: false, problem }), /Cannot x/, /do y/],
    ['redirect', pod({ captured: false }), /not captured yet/, /ask again/],
    ['redirect', { rules: 'missing' }, /inet tidelock .* is gone/, /CAP_NET_ADMIN/],
    ['redirect', { rules: 'changed' }, /changed by somebody/, /restart the agent/],
    ['redirect', { rules: problem }, /Cannot x/, /do y/],
    [
      'data-plane',
      { dataPlane: { state: 'waiting', pid: 0, restarts: 3 } },
      /waiting/,
      /plane\.ended/,
    ],
    [
      'node',
      { self: { verdict: 'contraindicated', reason: 'PCR 4', admitted: true } },
      /PCR 4/,
      /boot state/,
    ],
    [
      'node',
      { self: { verdict: 'none', reason: 'r', hint: 'do z', admitted: false } },
      /r$/,
      /do z/,
    ],
    [
      'node',
      { self: { verdict: 'affirming', reason: '', admitted: false } },
      /not admitted/,
      /tidelock epochs/,
    ],
    ['destination', { peers: [] }, /no agent serves 198\.19\.2\.10/, /lanes\.unmeshed/],
    [
      'destination',
      { peers: [nodeB, { ...nodeB, node: 'node-c' as NodeName }] },
      /claimed by .*node-b.*node-c/,
      /one address/,
    ],
    [
      'destination',
      { pods: [web, { ...cart, ips: db.ips }] },
      /claimed by shop\/cart-0 of this node and uid-db/,
      /one address/,
    ],
    [
      'peer',
      peer({ ...out, refused: 'not in the roster' }),
      /not in the roster/,
      /tidelock status/,
    ],
    [
      'policy',
      { policy: { ...facts.policy, rules: [] } },
      /no rule allows .*web to reach .*db on port 5432/,
      /from: \{spiffe: .*web\}, to: .*ports: \[5432\]/,
    ],
    [
      'epoch',
      peer({ send: { refused: 'node-b has confirmed no chain yet' } }),
      /confirmed no chain/,
      /tidelock epochs/,
    ],
    ['lane-port', peer({ lane: undefined }), /has not said/, /agent of node-b/],
    [
      'lane-port',
      { reach: { problem: 'connect ECONNREFUSED' } },
      /198\.18\.0\.12 port 15008: .*REFUSED/,
      /lanes\.port/,
    ],
  ])('whyOf() breaks at %s in case %#', (link, change, text, remedy) => {
    const why = ask(change, '198.19.2.10:5432');
    expect(brokenAt(why)).toBe(link);
    expect(why.answer).toMatch(text);
    expect(why.remedy).toMatch(remedy);
    const at = why.links.findIndex(({ state }) => state === 'broken');
    expect(why.links.slice(0, at).every(({ state }) => state === 'holds')).toBe(true);
    expect(why.links.slice(at + 1).every(({ state }) => state === 'not-reached')).toBe(true);
    expect(why.links).toHaveLength(12);
    expect(why.links.some((each) => each.id === 'outside')).toBe(false);
  });

  it('whyOf() sends who asks about a pod of another node there', () => {
    const why = ask({}, undefined, 'uid-db');
    expect(why).toMatchObject({
      answer: expect.stringMatching(/lives on node-b, and this is node-a/),
    });
    expect(why.remedy).toContain('node-b');
  });

  it('whyOf() offers what may be meant', () => {
    expect(ask({}, undefined, 'shop/wbe-0').remedy).toContain('shop/web-0');
    expect(ask({}, 'shop/db-0').remedy).toContain('uid-db of node-b');
  });

  it('whyOf() needs no lane within the node', () => {
    const policy = { ...facts.policy, defaultAction: 'ALLOW' } as const;
    const why = ask({ policy, peers: [] }, 'shop/cart-0:80');
    expect(why.verdict).toBe('holds');
    expect(why.links.map((link) => link.id)).not.toContain('lane-port');
    const gone = { pods: [web, { ...cart, captured: false }] };
    expect(brokenAt(ask({ ...gone, policy }, 'cart-0:80'))).toBe('destination');
  });

  it('whyOf() names the ports that rules allow when none is asked for', () => {
    const links = ask({}, 'uid-db').links;
    expect(links.find((link) => link.id === 'policy')?.text).toBe(
      'allowed on port 5432 and no other',
    );
  });

  it('whyOf() says when newer policy files are not in use, whatever the rules in force say', () => {
    const policyProblem = { message: 'Cannot use policies', hint: 'correct them' };
    const allowed = ask({ policyProblem }, 'uid-db:5432');
    expect(allowed.verdict).toBe('holds');
    expect(allowed.links.find((link) => link.id === 'policy')?.text).toMatch(
      /by rule shop\/0, by the last good policies: Cannot use policies/,
    );
    expect(ask({ policyProblem }, 'uid-db:80')).toMatchObject({
      answer: expect.stringMatching(/^no rule .* last good policies/),
      remedy: 'correct them',
    });
  });

  it('whyOf() tells observe from allowed', () => {
    const observe = {
      policyMode: 'observe',
      policy: { version: 1, defaultAction: 'ALLOW', rules: [] },
    } as const;
    const links = ask(observe, 'uid-db:1').links;
    expect(links.find((link) => link.id === 'policy')?.text).toMatch(
      /no rule .* policy\.mode is observe/,
    );
  });

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

  it('whyOf() of a pod alone asks nothing about destinations', () => {
    const why = ask({});
    expect(why).toMatchObject({ verdict: 'holds', question: 'shop/web-0' });
    expect(why.links.map((link) => link.id)).not.toContain('peer');
    expect(ask({ pods: [] }).links.map((link) => link.id)).not.toContain('destination');
    expect(brokenAt(ask({ epochs: { state: 'stale', text: 'no record' } }))).toBe('epoch');
  });

  const refused = (change: object): ConnectionFacts => ({
    live: 0,
    refused: {
      direction: 'out',
      at: NOW - 5_000,
      reason: 'peer-denied',
      detail: 'policy',
      count: 3,
      ...change,
    },
  });
  it.each<[string, ConnectionFacts, 'holds' | 'broken']>([
    ['a fresh refusal that only trying can tell', refused({}), 'broken'],
    ['an old one', refused({ at: NOW - 3_600_000 }), 'holds'],
    ['one that a connection followed', { ...refused({}), live: 1, openedAt: NOW - 1_000 }, 'holds'],
    ['one that an ended connection followed', { ...refused({}), closedAt: NOW - 1_000 }, 'holds'],
    ['one whose reason was judged before', refused({ reason: 'no-chain' }), 'holds'],
  ])('whyOf() weighs %s', (_what, connections, state) => {
    const why = ask({ connections }, 'uid-db:5432');
    expect(why.links.at(-1)).toMatchObject({ id: 'connections', state });
    expect(why.links.at(-1)?.text).toContain('3 refused');
  });
});

describe('remedyFor()', () => {
  it('remedyFor() knows every reason, and what a peer may have said', () => {
    for (const reason of REFUSALS) expect(remedyFor(reason)).toMatch(/^[A-Z].*\.$/);
    expect(remedyFor('peer-denied', 'unreachable')).toBe(remedyFor('pod-unreachable'));
    expect(remedyFor('peer-denied', 'policy')).toMatch(/of the destination’s node/);
    expect(remedyFor('peer-denied', 'constructor')).toBe(remedyFor('peer-denied'));
  });
});

describe('whyText()', () => {
  it('whyText() gives the answer first, then the chain', () => {
    const text = whyText(ask({ rules: 'missing' }, 'uid-db:5432'));
    expect(text).toMatch(
      /^shop\/web-0 to uid-db:5432, as node-a sees it\nBroken at redirect: .*\nRemedy: .*\n\n {2}ok /,
    );
    expect(text).toMatch(/^ {2}BROKEN {2}redirect +table inet/m);
    expect(text).toMatch(/^ {2}- +lane-port +not reached$/m);
  });
});
