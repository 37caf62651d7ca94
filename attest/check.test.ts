import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { fail, notChecked, pass, verdictOf, type Verdict } from './check.ts';

const verdict = fc.constantFrom<Verdict>('affirming', 'warning', 'none', 'contraindicated');

it('verdictOf() knows nothing when nothing was checked', () => {
  expect(verdictOf([])).toBe('none');
});

it('verdictOf() is affirming only when every check leaves that possible', () => {
  expect(verdictOf([pass('a', ''), notChecked('b', '')])).toBe('affirming');
  expect(verdictOf([pass('a', ''), notChecked('b', '', 'none')])).toBe('none');
  expect(verdictOf([notChecked('b', '', 'none'), fail('c', '')])).toBe('contraindicated');
});

it('verdictOf() never rises when a check is added, and no order matters', () => {
  const order: Verdict[] = ['affirming', 'warning', 'none', 'contraindicated'];
  fc.assert(
    fc.property(fc.array(verdict, { minLength: 1 }), verdict, (ceilings, extra) => {
      const checks = ceilings.map((ceiling) => notChecked('x', '', ceiling));
      const before = verdictOf(checks);
      const after = verdictOf([...checks, notChecked('y', '', extra)]);
      expect(order.indexOf(after)).toBe(Math.max(order.indexOf(before), order.indexOf(extra)));
      expect(verdictOf(checks.toReversed())).toBe(before);
    }),
  );
});
