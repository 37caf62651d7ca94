import { defineConfig } from 'vitest/config';

// Two projects: `unit` stands beside the code and needs no privilege; `hw` builds real rigs and
// runs one file at a time, because two cores cannot honestly time two rigs at once.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{agent,attest,probes,proxy,hwtest,daemonset}/**/*.test.ts'],
          exclude: ['**/*.hw.test.ts', 'node_modules/**'],
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'hw',
          include: ['hwtest/**/*.hw.test.ts', '{attest,proxy,agent}/**/*.hw.test.ts'],
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
});
