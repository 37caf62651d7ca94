import { defineConfig } from 'vitest/config';

// `unit` stands beside the code and needs no privilege; `parts` has single parts do with real programs what they do,
// after `unit`; `rigs` builds real rigs that mostly wait for slots, two at a time; `hw` those that load a machine or look
// at all of it, one file at a time, because two cores cannot honestly time two things at once; `long` is as `hw`, takes
// too long for every run and is run by `npm run test:hw`. Vitest would leave one of two cores idle.
const PARTS = ['{attest,proxy,agent}/**/*.hw.test.ts', 'hwtest/{guarantees,lease}/*.hw.test.ts'];
const LONG = [
  'hwtest/chaos/*.hw.test.ts',
  'hwtest/bench/*.hw.test.ts',
  'hwtest/suites/58-soak.hw.test.ts',
];
const WAITING = [12, 20, 30, 40, 52, 54, 75, 85, 87, 90, 92].map(
  (number) => `hwtest/suites/${number}-*.hw.test.ts`,
);
const patient = { testTimeout: 300_000, hookTimeout: 180_000 };
const alone = { ...patient, fileParallelism: false, sequence: { groupOrder: 3 } };

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{agent,attest,probes,proxy,hwtest,daemonset}/**/*.test.ts'],
          exclude: ['**/*.hw.test.ts', 'node_modules/**'],
          testTimeout: 30_000,
          sequence: { groupOrder: 0 },
        },
      },
      { test: { name: 'parts', include: PARTS, ...patient, sequence: { groupOrder: 1 } } },
      { test: { name: 'rigs', include: WAITING, ...patient, sequence: { groupOrder: 2 } } },
      {
        test: {
          name: 'hw',
          include: ['hwtest/**/*.hw.test.ts'],
          exclude: [...LONG, ...PARTS, ...WAITING, 'node_modules/**'],
          ...alone,
        },
      },
      { test: { name: 'long', include: LONG, ...alone } },
    ],
  },
});
