import { describe, expect, test } from 'vitest';
import { asymmetricCounts, generateWorkloadKey } from '#agent/base/asymmetric.ts';
import { utf8 } from '#agent/base/bytes.ts';
import { VerificationDesk } from './desk.ts';

const workload = generateWorkloadKey();
const token = (n: number): Uint8Array => utf8(`token ${n}`);

const flip = (b: Uint8Array): Uint8Array => b.with(0, (b[0] ?? 0) ^ 1);

/** Asymmetric operations that `work` takes. */
function operations(work: () => void): number {
  const before = asymmetricCounts().total;
  work();
  return asymmetricCounts().total - before;
}

describe('VerificationDesk.verify()', () => {
  test('verify() answers 10,000 askers of one token with one operation', () => {
    const desk = new VerificationDesk();
    const signature = workload.sign(token(1));
    const spent = operations(() => {
      for (let i = 0; i < 10_000; i += 1) {
        expect(desk.verify(workload.public, token(1), signature)).toBe(true);
      }
    });
    expect(spent).toBe(1);
  });

  test('verify() does not take a valid answer for another key, message or signature', () => {
    const desk = new VerificationDesk();
    const signature = workload.sign(token(1));
    expect(desk.verify(workload.public, token(1), signature)).toBe(true);
    expect(desk.verify(flip(workload.public), token(1), signature)).toBe(false);
    expect(desk.verify(workload.public, flip(token(1)), signature)).toBe(false);
    expect(desk.verify(workload.public, token(1), flip(signature))).toBe(false);
    expect(desk.verify(new Uint8Array(0), new Uint8Array(0), new Uint8Array(0))).toBe(false);
  });

  test('verify() remembers that a signature is false', () => {
    const desk = new VerificationDesk();
    const ask = (): boolean => desk.verify(workload.public, token(1), new Uint8Array(64));
    expect(operations(() => expect([ask(), ask(), ask()]).toEqual([false, false, false]))).toBe(1);
  });

  test('verify() keeps what is asked for, and any number of false ones push out none that is valid', () => {
    const desk = new VerificationDesk(2);
    const [first, second, third] = [1, 2, 3].map((n) => token(n));
    const ask = (message = token(0)): boolean =>
      desk.verify(workload.public, message, workload.sign(message));
    [first, second, first, third].forEach(ask);
    for (let n = 0; n < 2000; n += 1) {
      expect(desk.verify(workload.public, token(n), new Uint8Array(64))).toBe(false);
    }
    const signed = [first, third].map((message = token(0)) => workload.sign(message));
    const spent = operations(() => {
      expect(desk.verify(workload.public, token(1), signed[0] ?? token(0))).toBe(true);
      expect(desk.verify(workload.public, token(3), signed[1] ?? token(0))).toBe(true);
    });
    expect(spent).toBe(0);
  });

  test('verify() forgets the oldest answer beyond its bound', () => {
    const desk = new VerificationDesk(2);
    const signed = [1, 2, 3].map((n) => ({
      message: token(n),
      signature: workload.sign(token(n)),
    }));
    const ask = (i: number): void => {
      const { message, signature } = signed[i] ?? { message: token(0), signature: token(0) };
      expect(desk.verify(workload.public, message, signature)).toBe(true);
    };
    [0, 1, 2].forEach(ask);
    expect(operations(() => [2, 1].forEach(ask))).toBe(0);
    expect(operations(() => [0].forEach(ask))).toBe(1);
  });
});
