import { expect, it } from 'vitest';
import { createProgress } from './progress.ts';

it('createProgress() says what is left by the plan, then by how much longer it has taken', () => {
  let seconds = 0;
  const said: string[] = [];
  const progress = createProgress(
    400,
    (line) => said.push(line),
    () => seconds * 1000,
  );
  progress.begin('first', 100);
  seconds = 200; // twice the plan
  progress.begin('second', 290);
  seconds = 780;
  progress.begin('third', 10);
  expect(said).toEqual(['first (7 min left)', 'second (10 min left)', 'third (20 s left)']);
});
