// Tests of what is read out of the agent for one question, on parts that say little.
import { describe, expect, it } from 'vitest';
import type { NodeName, SpiffeId } from '#agent/base/brands.ts';
import { TidelockError } from '#agent/base/errors.ts';
import type { ServiceSpec } from '#agent/inventory/services.ts';
import { ChainKeeper } from '#agent/epochs/keeper.ts';
import { PeerBook } from '#agent/epochs/peers.ts';
import {
  appraisalOf,
  drawNode,
  NOW_MS,
  PERIOD_MS,
  presenceBy,
  recordBy,
  ROOT,
} from '#agent/epochs/records.fixture.ts';
import { BY_DEFAULT } from '#proxy/redirect/plaintext.fixture.ts';
import { NO_COUNTS } from '#proxy/redirect/ruleCounters.ts';
import { answerWhy, type WhySources } from './gather.ts';
import { ConnectionMemory } from './memory.ts';

const a = drawNode('node-a');
const b = drawNode('node-b');
const { record } = recordBy(a);
const web = 'spiffe://example.org/c/shop/web' as SpiffeId;
const db = 'spiffe://example.org/c/shop/db' as SpiffeId;

const store: ServiceSpec = {
  namespace: 'shop',
  name: 'store',
  ips: ['10.96.0.10'],
  affinity: 'None',
  ports: [{ port: 80, targetPort: 5432 }],
  endpoints: [{ uid: 'uid-db', ready: true }],
};

/** Node a with one pod, and peer b that serves another, all well; `change` says what is different. */
function sources(change: Partial<WhySources> = {}): WhySources {
  const keeper = new ChainKeeper({ maxStalenessMs: 60_000 });
  keeper.accept(record);
  keeper.giveRoot(record.hash, ROOT);
  const peers = new PeerBook();
  const { statement } = b;
  const { node, sid } = statement;
  const entry = {
    v: 1,
    statement: '',
    evidenceDigest: '0'.repeat(64),
    verdict: 'affirming',
    level: 'tpm',
    receipt: { conductor: a.statement.sid, at: NOW_MS },
    expiresAt: NOW_MS + 60_000,
  } as const;
  peers.accept(node, { statement, entry, appraisal: appraisalOf('affirming'), listedBy: record });
  peers.hear(presenceBy(b, 1), [record.chainId], NOW_MS);
  peers.peer(node).directory = {
    v: 1,
    node,
    sid,
    seq: 1,
    lane: { address: '198.18.0.12', port: 15_008 },
    pods: [{ uid: 'uid-db', ips: ['FD00:0::10'], spiffeId: db, ports: [] }],
  };
  return {
    config: {
      node: 'node-a' as NodeName,
      epochs: {
        periodMs: PERIOD_MS,
        maxStalenessSeconds: 60,
        onStale: 'closed',
        knowAllUpTo: 500,
        lease: 'bus',
      },
      lanes: {
        ...BY_DEFAULT,
        address: '198.18.0.11',
        podNetworks: [],
        unmeshed: 'refuse',
        unmeshedExcept: [],
      },
      policy: { mode: 'enforce' },
    },
    plane: { admitted: true, stale: false, seen: { slots: 1, chains: 1, algorithms: [1] } },
    keeper,
    peers,
    own: { listed: [{ own: a, listedBy: record }] },
    bus: { connected: true, server: undefined, problem: undefined },
    conductor: { leading: true },
    lease: { holder: undefined, kept: 'bus', problem: undefined },
    follower: { newest: record, silenceMs: 0, accepted: 1, refused: 0 },
    slots: { timeMs: () => NOW_MS, untilNextMs: () => 1 },
    events: { events: () => [] },
    maxStalenessMs: 60_000,
    renewMs: 60_000,
    inventory: { problem: () => undefined, pods: () => [], services: () => [store] },
    captures: {
      pods: () => [
        {
          spec: {
            uid: 'uid-web',
            namespace: 'shop',
            name: 'web-0',
            serviceAccount: 'web',
            spiffeId: web,
            labels: {},
            ips: ['198.19.1.10'],
            netns: { path: '/run/netns/web', id: '4:1' },
          },
          captured: true,
          error: undefined,
        },
      ],
      rules: async () => 'intact',
      counts: () => NO_COUNTS,
      refusedSources: async () => [],
    },
    attestor: {
      state: {
        verdict: 'affirming',
        reason: '',
        appraisal: undefined,
        renewedAtMs: NOW_MS,
        error: undefined,
      },
    },
    policy: () => ({
      version: 1,
      defaultAction: 'DENY',
      rules: [{ name: 'shop/0', from: web, to: db, ports: [] }],
    }),
    policyProblem: () => undefined,
    dataPlane: () => ({ state: 'running', pid: 7, restarts: 0 }),
    lanes: async () => ({ lanes: [], omitted: 0, silent: 0, draining: 0 }),
    memory: new ConnectionMemory(),
    clock: { wallMs: () => NOW_MS },
    reach: async () => ({}),
    ...change,
  };
}

const TO_DB = { pod: 'shop/web-0', to: '[fd00::10]:5432' };

describe('answerWhy()', () => {
  it('answerWhy() finds every link whole, and a peer’s pod under its address in any form', async () => {
    const why = await answerWhy(sources(), TO_DB);
    expect(why).toMatchObject({ verdict: 'holds', question: 'shop/web-0 to [fd00::10]:5432' });
    expect(why.links).toHaveLength(12);
  });

  it('answerWhy() tries the lane port of the node where the destination lives, and no other', async () => {
    const tried: object[] = [];
    const reach: WhySources['reach'] = async (endpoint) => {
      tried.push(endpoint);
      return { problem: 'connection refused' };
    };
    const why = await answerWhy(sources({ reach }), TO_DB);
    expect(why.answer).toContain('connection refused');
    await answerWhy(sources({ reach }), { pod: 'shop/web-0' });
    await answerWhy(sources({ reach }), { pod: 'shop/web-0', to: '198.19.9.9:80' });
    const lane = { address: '198.18.0.12', port: 15_008 };
    expect(tried).toEqual([lane]);
    await answerWhy(sources({ reach }), { pod: 'shop/web-0', to: 'shop/store:80' });
    expect(tried).toEqual([lane, lane]);
  });

  it('answerWhy() asks for the rules of the pod in question, and names what hinders that', async () => {
    const rules = async (uid: string) => {
      throw new TidelockError('REDIRECT_FAILED', {
        op: 'x',
        message: `Cannot list rules of ${uid}`,
        hint: 'install nft',
      });
    };
    const captures = { ...sources().captures, rules };
    const why = await answerWhy(sources({ captures }), TO_DB);
    expect(why).toMatchObject({ answer: 'Cannot list rules of uid-web', remedy: 'install nft' });
  });

  it('answerWhy() reads what passes the pod that plaintext is asked about', async () => {
    const refused = [{ address: '192.0.2.7', port: 80, count: 2, agoMs: 1_000 }];
    const refusedSources = async (uid: string) => (uid === 'uid-web' ? refused : []);
    const captures = { ...sources().captures, refusedSources };
    const why = await answerWhy(sources({ captures }), { pod: '192.0.2.7', to: 'shop/web-0:80' });
    expect(why.answer).toContain('from 192.0.2.7 to port 80 1 s ago (2 in ten minutes)');
    expect((await answerWhy(sources({ captures }), { pod: 'shop/web-0' })).verdict).toBe('holds');
  });

  it('answerWhy() remembers a service’s connections under its address and its endpoint’s', async () => {
    const memory = new ConnectionMemory();
    memory.note({
      direction: 'out',
      podUid: 'uid-web',
      destination: '10.96.0.10:80',
      endpoint: 'fd00::10:5432',
      kind: 'refused',
      at: NOW_MS - 10,
      reason: 'peer-silent',
    });
    for (const to of ['shop/store:80', '[fd00::10]:5432']) {
      expect((await answerWhy(sources({ memory }), { ...TO_DB, to })).verdict).toBe('broken');
    }
  });

  it('answerWhy() weighs what is remembered against what is live', async () => {
    const memory = new ConnectionMemory();
    const facts = { direction: 'out', podUid: 'uid-web', destination: 'fd00::10:5432' } as const;
    memory.note({ ...facts, kind: 'refused', at: NOW_MS - 10, reason: 'peer-silent' });
    expect((await answerWhy(sources({ memory }), TO_DB)).verdict).toBe('broken');
    expect((await answerWhy(sources({ memory }), { ...TO_DB, to: '[fd00::10]:1' })).verdict).toBe(
      'holds',
    );
    const live = {
      ...facts,
      id: '0.1',
      rule: 'shop/0',
      openedAt: NOW_MS,
      bytesOut: 0,
      bytesIn: 0,
      keyUpdates: 0,
    };
    const lanes = async () => ({ lanes: [live], omitted: 0, silent: 0, draining: 0 });
    expect((await answerWhy(sources({ memory, lanes }), TO_DB)).verdict).toBe('holds');
    const gone = { memory, lanes: async () => undefined };
    expect((await answerWhy(sources(gone), TO_DB)).verdict).toBe('broken');
  });

  it.each([{}, { pod: '' }, { pod: 'a b' }, { pod: 'web', to: 'db:0' }])(
    'answerWhy() refuses parameters %j',
    async (query) => {
      await expect(answerWhy(sources(), query)).rejects.toMatchObject({ code: 'USAGE' });
    },
  );
});
