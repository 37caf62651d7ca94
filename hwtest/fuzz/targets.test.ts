import { expect, it } from 'vitest';
import { runOneVerb } from '#agent/cli/commandLine.ts';
import { fuzz, PROGRAM } from './fuzz.ts';
import { isRefusal } from './target.ts';
import { TARGETS } from './targets.ts';

/** What a target does with a sample. */
function fed({ feed }: (typeof TARGETS)[number], sample: Buffer): string | undefined {
  try {
    return feed(Buffer.from(sample)) ?? 'parsed';
  } catch (thrown) {
    if (isRefusal(thrown)) return undefined;
    throw thrown;
  }
}

it('TARGETS have names of their own', () => {
  expect(TARGETS.length).toBeGreaterThan(60);
  expect(new Set(TARGETS.map(({ name }) => name)).size).toBe(TARGETS.length);
});

it('fuzz refuses a target that there is not, and says which there are', async () => {
  let err = '';
  const terminal = {
    out: () => undefined,
    err: (text: string) => void (err += text),
    env: {},
    cwd: '.',
    stopSignal: () => new AbortController().signal,
  };
  expect(await runOneVerb(fuzz, ['--only', 'nonsense'], terminal, PROGRAM)).toBe(2);
  expect(err).toContain('Cannot run npm run fuzz --: no target is called nonsense; there are ');
  expect(err).toContain('; quote, message altered; ');
  expect(err).toContain('`npm run fuzz -- --help`');
});

it.each(TARGETS.map((target) => [target.name, target] as const))(
  'TARGETS: %s begins from a sample that it takes, and believes if it is a judge',
  (_, target) => {
    const [own, ...others] = target.samples();
    if (own === undefined) throw new Error('no sample');
    const outcomes = [own, ...others].map((sample) => fed(target, sample));
    expect(outcomes[0]).toBeDefined();
    if (target.believes) expect(outcomes.some((each) => each !== 'parsed' && each)).toBeTruthy();
  },
);
