// What the stand-in does wrong on command, to every request until it is told otherwise. Pure.
import { internal, tooMany, type Answer } from './statuses.ts';

export type Fault =
  /** Answers late, and then rightly. */
  | { readonly kind: 'slow'; readonly ms: number }
  /** Never answers. */
  | { readonly kind: 'silent' }
  /** Ends the connection without an answer. */
  | { readonly kind: 'drop' }
  /** Does what was asked, and then ends the connection without an answer. */
  | { readonly kind: 'dropAnswer' }
  | { readonly kind: 'busy'; readonly retryAfterSeconds: number }
  | { readonly kind: 'error' }
  | { readonly kind: 'garbage'; readonly of: Garbage };

export type Garbage = keyof typeof GARBAGE;

/** With status 200, and mostly the content type of the API. */
export const GARBAGE = {
  html: { type: 'text/html', body: '<html><body>Please log in</body></html>' },
  cut: { type: 'application/json', body: '{"kind":"Lease","metadata":{"name":' },
  empty: { type: 'application/json', body: '' },
  null: { type: 'application/json', body: 'null' },
  list: { type: 'application/json', body: '[1,2,3]' },
  nothing: { type: 'application/json', body: '{}' },
  other: {
    type: 'application/json',
    body: '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","uid":"u","resourceVersion":"7"}}',
  },
  types: {
    type: 'application/json',
    body: '{"metadata":{"name":7,"uid":[],"resourceVersion":{},"annotations":"x"},"spec":[]}',
  },
  binary: { type: 'application/json', body: '\u0000\u0001\ufffd'.repeat(100) },
  huge: { type: 'application/json', body: `{"x":"${'x'.repeat(3 << 20)}"}` },
} as const satisfies Record<string, { readonly type: string; readonly body: string }>;

/** The answer that a fault gives in the place of the right one, where it gives one. */
export function answerOf(fault: Fault): Answer | undefined {
  switch (fault.kind) {
    case 'busy':
      return tooMany(fault.retryAfterSeconds);
    case 'error':
      return internal('the stand-in was told to fail');
    case 'garbage': {
      const { type, body } = GARBAGE[fault.of];
      return { code: 200, headers: { 'content-type': type }, body };
    }
    case 'slow':
    case 'silent':
    case 'drop':
    case 'dropAnswer':
      return undefined;
  }
}
