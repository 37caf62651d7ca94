import { expect, test } from 'vitest';
import { limitedLog } from './limitedLog.ts';
import { createLog } from './log.ts';

test('limitedLog() writes so many lines a second and tells how many it left out', () => {
  let nowMs = 0;
  const clock = { wallMs: () => nowMs, monoMs: () => nowMs, after: () => () => undefined };
  const lines: unknown[] = [];
  const write = (line: string) => void lines.push(JSON.parse(line));
  const log = limitedLog(createLog({ level: 'debug', clock, write }), clock, 3);
  for (let n = 0; n < 10; n += 1) log.warn('x.refused', { n });
  expect(lines.splice(0)).toMatchObject([{ n: 0 }, { n: 1 }, { n: 2 }]);
  nowMs = 1000;
  log.warn('x.refused', { n: 10 });
  log.info('x.refused');
  expect(lines).toMatchObject([{ n: 10, dropped: 7 }, { level: 'info' }]);
  expect(lines[1]).not.toHaveProperty('dropped');
});
