// The error type and what a foreign error becomes.
import { describe, expect, it } from 'vitest';
import { CODES, type ErrorCode } from './codes.ts';
import { TidelockError, asTidelockError, messageOf } from './errors.ts';

const init = { op: 'x.do', message: 'Cannot do x: broken', hint: 'Mend x.' };

describe('TidelockError', () => {
  it('TidelockError takes exit code and retryable flag from the catalogue', () => {
    for (const code of Object.keys(CODES) as ErrorCode[]) {
      const error = new TidelockError(code, init);
      expect([error.exitCode, error.retryable]).toEqual([CODES[code].exit, CODES[code].retryable]);
    }
  });

  it('TidelockError lets one occurrence say that a retry can help', () => {
    expect(new TidelockError('INTERNAL', { ...init, retryable: true }).retryable).toBe(true);
  });

  it('toJSON() gives the documented members and no cause or stack', () => {
    const error = new TidelockError('USAGE', { ...init, cause: new Error('secret') });
    expect(JSON.parse(JSON.stringify({ error }))).toEqual({
      error: { code: 'USAGE', ...init, retryable: false },
    });
  });

  it('TidelockError keeps its cause, and has none when none was given', () => {
    const cause = new Error('why');
    expect(new TidelockError('USAGE', { ...init, cause }).cause).toBe(cause);
    expect('cause' in new TidelockError('USAGE', init)).toBe(false);
  });
});

describe('asTidelockError()', () => {
  it('asTidelockError() hands on what is ours', () => {
    const ours = new TidelockError('USAGE', init);
    expect(asTidelockError(ours, 'y.do')).toBe(ours);
  });

  it('asTidelockError() turns any other thrown value into INTERNAL with its message', () => {
    for (const thrown of [new TypeError('boom'), 'boom', { toString: () => 'boom' }]) {
      const error = asTidelockError(thrown, 'y.do');
      expect(error.code).toBe('INTERNAL');
      expect(error.message).toBe('Cannot complete y.do: boom');
      expect(error.cause).toBe(thrown);
    }
  });

  it('messageOf() reads null and undefined too', () => {
    expect([messageOf(null), messageOf(undefined)]).toEqual(['null', 'undefined']);
  });
});
