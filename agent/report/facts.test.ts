import { expect, it } from 'vitest';
import type { Status } from '#agent/api/status.ts';
import { reportSchema } from '#attest/report.ts';
import { factsOf } from './facts.ts';

const status: Pick<Status, 'agent' | 'host' | 'epochs'> = {
  agent: { version: '0.1.0', pid: 1, startedAt: '2026-11-22T05:00:00.000Z', uptimeMs: 1 },
  host: {
    system: `QEMU ${'x'.repeat(900)}`,
    virtual: true,
    firmware: 'EDK II',
    processor: '',
    cores: 2,
    memoryBytes: 2 ** 33,
    os: 'Debian 12',
    kernel: '6.18',
  },
  epochs: {
    conductor: 'node-b',
    isConductor: false,
    term: 1,
    generation: 2,
    epoch: 3,
    slot: 4,
    periodMs: 5000,
    chains: [
      { id: 'ab', epoch: 3, generation: 2, algorithm: 'KMAC256', atSlot: 4, confirmedBy: ['n'] },
    ],
    chainsSeen: 1,
    slotsSeen: 1,
    algorithmsSeen: [],
    busConnected: true,
  },
};

it('factsOf() tells host, agent and epochs in a form that a report takes, whatever firmware says', () => {
  const facts = factsOf(status);
  expect(reportSchema.shape.facts.safeParse(facts).success).toBe(true);
  expect(facts).toMatchObject({
    agent: { version: '0.1.0' },
    host: { virtual: true, cores: 2 },
    epochs: { conductor: 'node-b', epoch: 3, algorithm: 'KMAC256' },
  });
  expect(String(facts['host']?.['system'])).toHaveLength(200);
});

it('factsOf() says nothing of who confirmed a chain, and nothing it does not know', () => {
  const { agent, epochs } = status;
  const facts = factsOf({ agent, epochs: { ...epochs, conductor: undefined, chains: [] } });
  expect(Object.keys(facts)).toEqual(['agent', 'epochs']);
  expect(Object.keys(facts['epochs'] ?? {})).toEqual([
    'term',
    'generation',
    'epoch',
    'slot',
    'periodMs',
    'busConnected',
  ]);
});
