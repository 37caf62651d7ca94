import { expect, test } from 'vitest';
import { soakText } from '#hwtest/soak/result.ts';
import { runSoak } from '#hwtest/soak/soak.ts';
import { report } from './twoNodes.ts';

test('58-soak: programs of six kinds see no error but those of connections that crashed', async () => {
  const result = await runSoak({
    forMs: 30_000,
    say: (line) => process.stderr.write(`    ${line}\n`),
    stop: new AbortController().signal,
  });
  report(`\n${soakText(result)}`);
  expect(result.problems).toEqual([]);
  expect(result.errors.filter(({ excusedBy }) => excusedBy === null)).toEqual([]);
  expect(result.ok).toBe(true);
  // A soak that sees no crash would see no other error either.
  expect(result.errors.length).toBeGreaterThan(0);
}, 400_000);
