// Tests of the chain of causes: each link is broken in turn, and the first broken one is the answer.
import { describe, expect, it } from 'vitest';
import type { LinkId } from '#agent/api/why.ts';
import { whyText } from '#agent/api/whyText.ts';
import type { NodeName } from '#agent/base/brands.ts';
import { REFUSALS } from '#proxy/counters.ts';
import type { ConnectionFacts, PeerFacts, PodFacts, WhyFacts } from './facts.ts';
import { ask, brokenAt, cart, db, facts, id, nodeB, NOW, web } from './facts.fixture.ts';
import { remedyFor } from './remedies.ts';

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
