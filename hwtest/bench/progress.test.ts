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
  progress.begin('first', 120);
  seconds = 360; // three times the plan, which counts for half by now
  progress.begin('second', 270);
  seconds = 780; // twice the plan
  progress.begin('third', 10);
  expect(said).toEqual(['first (7 min left)', 'second (9 min left)', 'third (18 s left)']);
});
