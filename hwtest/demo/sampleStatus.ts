// A status as an agent would give it, for the tests of what reads one.
import type { Status } from '#agent/api/status.ts';

/** A healthy node; `over` replaces whole sections. */
export const sampleStatus = (name: string, over: Partial<Status> = {}): Status => ({
  agent: { version: '0.1.0', pid: 1, startedAt: '2026-01-01T00:00:00Z', uptimeMs: 1_000 },
  node: {
    name,
    domain: 'demo.tidelock',
    cluster: 'demo',
    verdict: 'affirming',
    level: 'tpm',
    reason: '',
    checks: [],
    pcrs: { '11': 'bb', '0': 'aa' },
  },
  epochs: {
    isConductor: name === 'node-a',
    term: 1,
    generation: 1,
    epoch: 7,
    slot: 1_000,
    periodMs: 5_000,
    chains: [
      {
        id: '00112233445566778899aabbccddeeff',
        epoch: 7,
        generation: 1,
        algorithm: 'HKDF-SHA-512/AES-256-GCM',
        atSlot: 998,
        confirmedBy: ['node-b'],
      },
    ],
    chainsSeen: 9,
    slotsSeen: 12,
    algorithmsSeen: ['BLAKE3/AES-256-GCM', 'HKDF-SHA-512/AES-256-GCM'],
    busConnected: true,
  },
  peers: [],
  lanes: {
    active: 3,
    openedOut: 40,
    openedIn: 30,
    sameNode: 10,
    refused: { policy: 4, unmeshed: 1 },
    bytesOut: 1_000,
    bytesIn: 500,
    keyUpdates: 6,
    strangers: 0,
    replayed: 0,
  },
  asymmetric: { total: 20, statements: 15, tokens: 5 },
  pods: [],
  dataPlane: { uid: 15_008, workers: 2, state: 'running', restarts: 0 },
  events: [],
  warnings: [],
  ...over,
});
