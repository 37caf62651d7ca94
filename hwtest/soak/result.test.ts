import { describe, expect, test } from 'vitest';
import { Account } from './account.ts';
import { soakResult, soakText, type Observed } from './result.ts';
import type { Act } from './windows.ts';

const CRASH: Act = {
  kind: 'data-plane-crash',
  to: 'node-a',
  from: 10_000,
  until: 12_000,
  detail: 'kill -9',
};

/** A soak in which nginx failed at these times, on connections that were made at 0. */
function soakWith(failedAt: readonly number[], problems: readonly string[] = []): Observed {
  const account = new Account('nginx');
  account.answered(1, 2, 100);
  for (const at of failedAt) {
    account.failed({ at, connection: 'kept 1', openedAt: 0, what: 'ECONNRESET' });
  }
  const programs = [{ account, client: 'client-a', server: 'server-b' }];
  return { seconds: 60, periodMs: 5_000, slots: 12, problems, acts: [CRASH], programs };
}

describe('soakResult()', () => {
  test('passes where a crash explains every error', () => {
    const result = soakResult(soakWith([10_500, 11_000]));
    expect(result).toMatchObject({ ok: true, errorsNotListed: 0 });
    expect(result.programs).toMatchObject([{ requests: 3, errorsInside: 2, errorsOutside: 0 }]);
    expect(result.errors[0]).toMatchObject({ excusedBy: 'data-plane-crash of node-a' });
  });

  test('fails upon one error that nothing explains, and names it', () => {
    const result = soakResult(soakWith([10_500, 30_000]));
    expect(result.ok).toBe(false);
    expect(result.programs).toMatchObject([{ errorsInside: 1, errorsOutside: 1 }]);
    expect(soakText(result)).toContain('! 00:00:30.000  nginx, kept 1 of 00:00:00.000: ECONNRESET');
  });

  test('fails where a program fell silent, without any error', () => {
    expect(soakResult(soakWith([], ['nginx got no answer'])).ok).toBe(false);
  });

  test('counts errors beyond those it keeps as unexplained', () => {
    const result = soakResult(soakWith(Array.from({ length: 5_001 }, () => 11_000)));
    expect(result).toMatchObject({ ok: false, errorsNotListed: 1 });
  });
});
