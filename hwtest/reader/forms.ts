// What JSON may be, piece by piece: numbers, texts, bytes, lists and objects of PROTOCOL 3. Which message is
// made of which is messages.ts.
import { isIP } from 'node:net';
import { base64url } from './bytes.ts';
import { isObject, type Json, type JsonObject } from './vectors.ts';

/** Whether JSON has a form. */
export type Form = (value: Json) => boolean;

/** A number without a fraction. */
export const integer =
  (min: number, max = Number.MAX_SAFE_INTEGER): Form =>
  (value) =>
    typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max;

/** Any integer from 0 on. */
export const natural = integer(0);

/** A number, whatever its sign and fraction. */
export const anyNumber: Form = (value) => typeof value === 'number';

/** True or false. */
export const truth: Form = (value) => typeof value === 'boolean';

/** One of some values. */
export const oneOf =
  (...values: readonly Json[]): Form =>
  (value) =>
    values.includes(value);

/** Text of that many UTF-16 units. */
export const text =
  (min: number, max: number): Form =>
  (value) =>
    typeof value === 'string' && value.length >= min && value.length <= max;

/** Text that a predicate knows. */
export const textThat =
  (is: (text: string) => boolean): Form =>
  (value) =>
    typeof value === 'string' && is(value);

/** Lower-case hex of that many bytes. */
export const hexOf = (min: number, max = min): Form =>
  textThat((value) => {
    const { length } = value;
    return /^(?:[0-9a-f]{2})*$/v.test(value) && length >= 2 * min && length <= 2 * max;
  });

/** Base64url of that many bytes, in its one writing. */
export const bytesOf = (min: number, max = min): Form =>
  textThat((value) => {
    const { length } = Buffer.from(value, 'base64url');
    const isCanonical = base64url(Buffer.from(value, 'base64url')) === value;
    return isCanonical && length >= min && length <= max;
  });

/** An address of one host (3.6): a URL writes IPv6 in its one form. */
export const address: Form = textThat((value) =>
  isIP(value) === 6
    ? !/^\[(::1?|::ffff:.*|fe[89ab].*|ff.*)\]$/.test(new URL(`http://[${value}]`).hostname)
    : isIP(value) === 4 && !/^(0|127|169\.254|22[4-9]|23\d|255\.255\.255\.255)(\.|$)/.test(value),
);

/** One form or the other. */
export const either =
  (...forms: readonly Form[]): Form =>
  (value) =>
    forms.some((form) => form(value));

/** A list of at most `max`. */
export const list =
  (item: Form, max: number): Form =>
  (value) =>
    Array.isArray(value) && value.length <= max && value.every(item);

/** An object of some names, each with a value of its form. */
export const record =
  (isName: (name: string) => boolean, item: Form): Form =>
  (value) =>
    isObject(value) && Object.entries(value).every(([name, each]) => isName(name) && item(each));

/** An object of exactly these members; those whose names end in a question mark may be missing. */
export const object =
  (
    members: Readonly<Record<string, Form>>,
    also: (value: JsonObject) => boolean = () => true,
  ): Form =>
  (value) => {
    if (!isObject(value)) return false;
    const names = new Set(Object.keys(members).map((name) => name.replace('?', '')));
    const isNamed = Object.keys(value).every((name) => names.has(name));
    const isThere = Object.entries(members).every(([name, form]) => {
      const member = value[name.replace('?', '')];
      return member === undefined ? name.endsWith('?') : form(member);
    });
    return isNamed && isThere && also(value);
  };
