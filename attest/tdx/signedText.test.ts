import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memberText } from './signedText.ts';

describe('memberText()', () => {
  it('cuts a member out as it stands', () => {
    expect(memberText('{"a":1,"b": {"a" : [ 2 , "}" ] } ,"c":3}', 'b')).toBe(
      '{"a" : [ 2 , "}" ] }',
    );
    expect(memberText('{"a":"\\",\\"b\\":1","b":2}', 'b')).toBe('2');
  });

  it('looks at members of the object itself alone, and takes the first', () => {
    expect(memberText('{"x":{"b":1},"y":["b",{"b":2}]}', 'b')).toBeUndefined();
    expect(memberText('["b",{"b":2}]', 'b')).toBeUndefined();
    expect(memberText('{"b":1,"b":2}', 'b')).toBe('1');
    expect(memberText('{"a":"b","c":2}', 'b')).toBeUndefined();
  });

  it('finds every member of any object', () => {
    const keys = fc.string().filter((key) => !/[^ -~]/.test(key) && key !== '__proto__');
    fc.assert(
      fc.property(fc.dictionary(keys, fc.jsonValue(), { noNullPrototype: true }), (object) => {
        const text = JSON.stringify(object, undefined, 1);
        for (const [name, value] of Object.entries(object)) {
          const member = memberText(text, name);
          expect(JSON.stringify(JSON.parse(member ?? ''))).toBe(JSON.stringify(value));
        }
      }),
    );
  });

  it('is linear in a long text of open strings and brackets', () => {
    const text = `{"a":${'['.repeat(500_000)}${'"\\\\'.repeat(500_000)}`;
    expect(memberText(text, 'a')).toBeUndefined();
  });
});
