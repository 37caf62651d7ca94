// The lease at an API server that is ill: whatever is wrong, there is no lease now, one line says why and what to do,
// and as soon as it is right again the lease can be had, without anybody's help. Of the stand-in API server.
import { describe, expect, test } from 'vitest';
import { GARBAGE, type Fault, type Garbage } from '#hwtest/apiserver/faults.ts';
import { A, ApiBed, CLUSTER, every, LATER_MS, NAME } from './apiBed.fixture.ts';
import { NAMESPACE, rulesFor } from './places.fixture.ts';

const bed = new ApiBed();

type Illness = readonly [
  name: string,
  spoil: () => Promise<void> | void,
  mend: () => Promise<void> | void,
  code: 'KUBE_UNREACHABLE' | 'KUBE_DENIED',
  message: RegExp,
  hint: RegExp,
];

const faulty = (
  name: string,
  fault: Fault,
  message: RegExp,
  hint: RegExp = /the agent keeps trying/,
): Illness => [
  name,
  () => void (bed.server.fault = fault),
  () => void (bed.server.fault = undefined),
  'KUBE_UNREACHABLE',
  message,
  hint,
];

const illnesses: readonly Illness[] = [
  [
    'away',
    () => bed.server.away(),
    () => bed.server.back(),
    'KUBE_UNREACHABLE',
    /cannot be reached: (ECONNREFUSED|UND_ERR_SOCKET|ECONNRESET)/,
    /network/,
  ],
  faulty('silent', { kind: 'silent' }, /no answer in time/, /overloaded/),
  faulty('slow', { kind: 'slow', ms: 4000 }, /no answer in time/),
  faulty(
    'dropping connections',
    { kind: 'drop' },
    /cannot be reached: (UND_ERR_SOCKET|ECONNRESET)/,
  ),
  faulty(
    'busy',
    { kind: 'busy', retryAfterSeconds: 1 },
    /429: Too many requests|answers 429/,
    /too much to do/,
  ),
  faulty('failing', { kind: 'error' }, /answers 500: Internal error occurred/, /log/),
  [
    'holding the token for expired',
    () => bed.candidate.expire(),
    () => bed.candidate.renew(),
    'KUBE_DENIED',
    /answers 401/,
    /read again from its file/,
  ],
  ...(Object.keys(GARBAGE) as Garbage[]).map((of) =>
    faulty(`answering garbage: ${of}`, { kind: 'garbage', of }, /no Lease/, /proxy/),
  ),
];

describe('kubernetesLease() with an API server that is', () => {
  test.each(illnesses)('%s: no lease, one line, and it recovers', async (...illness) => {
    const [, spoil, mend, code, message, hint] = illness;
    const { lease, store, said } = bed.open();
    expect(await bed.tries(lease, 1)).toEqual([{ term: 5 }]);
    await spoil();
    const startedMs = performance.now();
    expect(await bed.tries(lease, 2)).toEqual([undefined, undefined]);
    expect(performance.now() - startedMs, 'two tries of two seconds').toBeLessThan(5500);
    expect(store.problem).toMatchObject({ code });
    expect(store.isReachable, 'left alone for a moment').toBe(false);
    expect(await lease.hold({ ...A, ...every }), 'at once').toBeUndefined();
    const lines = said('lease.unreachable');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ level: 'warn', error: { code } });
    expect(lines[0]?.error?.message).toMatch(message);
    expect(lines[0]?.error?.message.length).toBeLessThan(600);
    expect(lines[0]?.error?.hint).toMatch(hint);
    expect(said('lease.reachable')).toEqual([]);
    await mend();
    expect(await bed.tries(lease, 1), 'the same holder, the same term').toEqual([{ term: 5 }]);
    expect(store.problem).toBeUndefined();
    expect(said('lease.reachable')).toHaveLength(1);
    expect(said('lease.unreachable')).toHaveLength(1);
  });

  test('slow, but in time: it is held', async () => {
    bed.server.fault = { kind: 'slow', ms: 300 };
    expect(await bed.tries(bed.open().lease, 1)).toEqual([{ term: 5 }]);
  });

  test('gone after it did what it was asked: the holder finds itself there, under its term', async () => {
    const { lease } = bed.open();
    expect(await bed.tries(lease, 1)).toEqual([{ term: 5 }]);
    // The reading is answered, the writing is done and not answered.
    const { store } = bed.open();
    const read = await store.read();
    bed.server.fault = { kind: 'dropAnswer' };
    bed.monoMs += LATER_MS;
    const value = { v: 1, holder: A, term: 5, beat: 9 } as const;
    expect(await store.swap(value, read?.revision)).toBeUndefined();
    bed.server.fault = undefined;
    bed.monoMs += LATER_MS;
    expect((await store.read())?.value).toEqual(value);
    expect(await bed.tries(lease, 1)).toEqual([{ term: 5 }]);
  });

  test('busy: it is left alone for as long as it asks, a minute at most', async () => {
    const { lease, store } = bed.open();
    bed.server.fault = { kind: 'busy', retryAfterSeconds: 20 };
    expect(await bed.tries(lease, 1)).toEqual([undefined]);
    bed.server.fault = undefined;
    const before = bed.server.asked.length;
    bed.monoMs += 19_999;
    expect(await lease.hold({ ...A, ...every })).toBeUndefined();
    expect(bed.server.asked).toHaveLength(before);
    bed.monoMs += 1;
    expect(await lease.hold({ ...A, ...every })).toEqual({ term: 5 });
    bed.server.fault = { kind: 'busy', retryAfterSeconds: 100_000 };
    await bed.tries(lease, 1);
    bed.server.fault = undefined;
    bed.monoMs += 60_000;
    expect(store.isReachable).toBe(true);
  });

  test('flapping between many causes: no more than a few lines', async () => {
    const { lease, said } = bed.open();
    for (let n = 0; n < 3; n += 1) {
      for (const of of Object.keys(GARBAGE) as Garbage[]) {
        bed.server.fault = { kind: 'garbage', of };
        await bed.tries(lease, 1);
        bed.server.fault = { kind: 'error' };
        await bed.tries(lease, 1);
      }
    }
    expect(said('lease.unreachable').length).toBe(2);
  });
});

describe('kubernetesLease() without the right to it', () => {
  test('403: one line that names the Role, and none the less once it is bound', async () => {
    const { kubeconfig } = bed.candidateWith([]);
    const { lease, said } = bed.open({ kubeconfig });
    expect(await bed.tries(lease, 3)).toEqual([undefined, undefined, undefined]);
    const lines = said('lease.unreachable');
    expect(lines).toHaveLength(1);
    expect(lines[0]?.error).toMatchObject({ code: 'KUBE_DENIED' });
    expect(lines[0]?.error?.message).toContain(
      `leases.coordination.k8s.io "${NAME}" is forbidden: User "system:serviceaccount:tidelock:tidelock-agent" cannot get resource "leases"`,
    );
    expect(lines[0]?.error?.hint).toContain('daemonset/components/kubernetes-lease');
    expect(lines[0]?.error?.hint).toContain(NAME);
    const bound = bed.open({ kubeconfig: bed.candidateWith(rulesFor(CLUSTER)).kubeconfig });
    expect(await bed.tries(bound.lease, 1)).toEqual([{ term: 5 }]);
  });

  test.each(['get', 'update', 'create'])(
    'the Role of the manifests without %s is not enough',
    async (verb) => {
      const without = rulesFor(CLUSTER).map((rule) => ({
        ...rule,
        verbs: rule.verbs.filter((each) => each !== verb),
      }));
      const { lease, said } = bed.open({ kubeconfig: bed.candidateWith(without).kubeconfig });
      if (verb === 'update') {
        expect(await bed.tries(lease, 1), 'made it').toEqual([{ term: 5 }]);
      }
      expect(await bed.tries(lease, 2)).toEqual([undefined, undefined]);
      expect(said('lease.unreachable')[0]?.error?.message).toContain(`cannot ${verb} resource`);
      if (verb === 'create') {
        bed.server.leases.force(NAMESPACE, NAME, {});
        expect(await bed.tries(lease, 1), 'an empty one was made by hand').toEqual([{ term: 5 }]);
      }
    },
  );

  test('the Role of the manifests allows this Lease and no other', async () => {
    const other = bed.open({ kubeconfig: bed.candidateWith(rulesFor('other')).kubeconfig });
    expect(await bed.tries(other.lease, 1)).toEqual([undefined]);
    expect(other.store.problem?.message).toContain('403');
  });

  test('a namespace that is not there', async () => {
    const { lease, store } = bed.open(undefined, 'nowhere');
    expect(await bed.tries(lease, 1)).toEqual([undefined]);
    expect(store.problem?.message).toContain('answers 404: namespaces "nowhere" not found');
    expect(store.problem?.hint).toContain('kubernetes.namespace');
  });
});
