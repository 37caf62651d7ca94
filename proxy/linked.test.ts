import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Linked, LinkedList } from './linked.ts';

class Numbered extends Linked {
  readonly number: number;

  constructor(number: number) {
    super();
    this.number = number;
  }
}

test('LinkedList behaves as a Set does, whatever enters and leaves', () => {
  const steps = fc.array(fc.record({ enters: fc.boolean(), at: fc.nat(7) }), { maxLength: 60 });
  fc.assert(
    fc.property(steps, (all) => {
      const items = Array.from({ length: 8 }, (_, number) => new Numbered(number));
      const list = new LinkedList<Numbered>();
      const model = new Set<Numbered>();
      for (const { enters, at } of all) {
        const item = items[at];
        if (!item) continue;
        if (!enters) expect(list.delete(item)).toBe(model.delete(item));
        else if (model.has(item)) expect(() => list.add(item)).toThrow(RangeError);
        else {
          list.add(item);
          model.add(item);
        }
        const left = [...model];
        expect(list.toArray()).toEqual(left);
        expect([list.size, list.first, list.last]).toEqual([left.length, left[0], left.at(-1)]);
      }
    }),
  );
});

test('delete() leaves alone what stands in another list, and keeps no neighbour of what it takes out', () => {
  const [one, two] = [new LinkedList<Numbered>(), new LinkedList<Numbered>()];
  const [a, b, c] = [new Numbered(1), new Numbered(2), new Numbered(3)];
  for (const item of [a, b, c]) one.add(item);
  expect(two.delete(b)).toBe(false);
  expect(one.delete(b)).toBe(true);
  expect([b.list, b.before, b.after]).toEqual([undefined, undefined, undefined]);
  two.add(b);
  expect([one.toArray(), two.toArray()]).toEqual([[a, c], [b]]);
});
