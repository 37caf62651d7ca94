// For tests: the status of a node that is well, with names that must not get out of the health address.
import { statusSchema, type Status } from '#agent/api/status.ts';
import { LANE_SETTINGS, OUTSIDE } from '#agent/api/status.fixture.ts';

const identity = 'spiffe://example.org/demo/default/secret-pod';

/** A node with one captured pod and one peer that lanes can be opened to. */
export function statusFixture(change: Partial<Status> = {}): Status {
  const status: Status = statusSchema.parse({
    agent: { version: '0.1.0', pid: 7, startedAt: '2023-11-14T22:00:00.000Z', uptimeMs: 60_000 },
    node: {
      name: 'secret-node',
      domain: 'example.org',
      cluster: 'demo',
      verdict: 'affirming',
      level: 'tpm',
      reason: '',
      checks: [],
      renewedAt: '2023-11-14T22:13:00.000Z',
      pcrs: {},
    },
    epochs: {
      isConductor: true,
      term: 1,
      generation: 2,
      epoch: 9,
      slot: 170,
      periodMs: 10_000,
      chains: [
        { id: 'c', epoch: 9, generation: 2, algorithm: 'a/b', atSlot: 169, confirmedBy: [] },
      ],
      chainsSeen: 4,
      slotsSeen: 40,
      algorithmsSeen: ['a/b'],
      busConnected: true,
      lastRecordAgeMs: 3000,
    },
    peers: [
      {
        node: 'secret-peer',
        address: '198.51.100.7 port 15008',
        verdict: 'affirming',
        reason: '',
        sendChain: 'c',
        clockOffsetMs: -40,
      },
    ],
    lanes: {
      active: 0,
      openedOut: 0,
      openedIn: 0,
      sameNode: 0,
      refused: {},
      bytesOut: 0,
      bytesIn: 0,
      keyUpdates: 0,
      strangers: 0,
      replayed: 0,
      ...LANE_SETTINGS,
    },
    outside: OUTSIDE,
    asymmetric: { total: 10, statements: 4, tokens: 5 },
    pods: [
      {
        uid: 'secret-pod-uid',
        namespace: 'default',
        name: 'secret-pod',
        spiffeId: identity,
        ips: ['198.51.100.10'],
        captured: true,
      },
    ],
    services: [],
    dataPlane: {
      pid: 8,
      uid: 15_008,
      workers: 2,
      working: 2,
      spares: 1,
      lanesByWorker: [3, 1],
      state: 'running',
      restarts: 0,
    },
    probes: {
      state: 'running',
      events: { exec: 3, bypass: 1 },
      lost: 2,
      limited: 0,
      unreadable: 0,
      restarts: 0,
      gaps: [],
      unwatched: [],
      bypasses: [
        {
          pod: 'default/secret-pod',
          packets: 1,
          untold: 0,
          last: [{ at: 0, text: 'secret-pod went past' }],
        },
      ],
    },
    events: [],
    warnings: [],
  });
  return { ...status, ...change };
}
