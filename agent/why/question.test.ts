// Tests of how a question is read and written.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TidelockError } from '#agent/base/errors.ts';
import { questionText, readQuestion } from './question.ts';

describe('readQuestion()', () => {
  it.each([
    ['shop/db-0', { name: 'shop/db-0' }],
    ['shop/db-0:5432', { name: 'shop/db-0', port: 5432 }],
    ['198.19.2.10', { name: '198.19.2.10' }],
    ['198.19.2.10:80', { name: '198.19.2.10', port: 80 }],
    ['fd00:0:0::1', { name: 'fd00::1' }],
    ['[fd00::1]:80', { name: 'fd00::1', port: 80 }],
    ['[fd00::1]', { name: 'fd00::1' }],
    ['::ffff:198.19.2.10', { name: '198.19.2.10' }],
    ['spiffe://example.org/prod/shop/db', { name: 'spiffe://example.org/prod/shop/db' }],
    ['spiffe://e.org/c/s/db:5432', { name: 'spiffe://e.org/c/s/db', port: 5432 }],
  ])('readQuestion() reads destination %s', (text, to) => {
    expect(readQuestion('shop/web-0', text)).toEqual({ pod: 'shop/web-0', to });
  });

  it.each([
    '',
    'a b',
    'db:0',
    'db:65536',
    '[fd00::1',
    '[db]:80',
    '[::1]:',
    'db\n',
    'x'.repeat(3_000),
  ])('readQuestion() refuses destination %j', (text) => {
    expect(() => readQuestion('web', text)).toThrow(
      expect.objectContaining({ code: 'USAGE', exitCode: 2 }),
    );
  });

  it('readQuestion() refuses a pod that can be none, and takes an address in its one form', () => {
    expect(() => readQuestion('a b')).toThrow(TidelockError);
    expect(readQuestion('FD00::0:1')).toEqual({ pod: 'fd00::1' });
  });

  it('readQuestion() ends in a question or in USAGE, whatever it is given', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), (pod, to) => {
        try {
          const question = readQuestion(pod, to);
          expect(questionText(question).length).toBeGreaterThan(0);
        } catch (thrown) {
          expect(thrown).toMatchObject({ code: 'USAGE' });
        }
      }),
    );
  });
});

describe('questionText()', () => {
  it('questionText() is read as the question it came from', () => {
    const address = fc.oneof(fc.ipV4(), fc.ipV6(), fc.constant('shop/db-0'));
    const port = fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined });
    fc.assert(
      fc.property(address, port, (name, number) => {
        const bare = name.includes(':') && number !== undefined ? `[${name}]` : name;
        const question = readQuestion('p', number === undefined ? bare : `${bare}:${number}`);
        const [, text = ''] = questionText(question).split(' to ');
        expect(readQuestion('p', text)).toEqual(question);
      }),
    );
  });
});
