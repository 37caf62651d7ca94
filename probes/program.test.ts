import { expect, test } from 'vitest';
import { TidelockError } from '#agent/base/errors.ts';
import { PROBE_KINDS } from './events.ts';
import { partsFor, probeProgram } from './program.ts';

const programs = [
  ['tracepoint', probeProgram(partsFor([0, 17]))],
  ['rawtracepoint', probeProgram(partsFor([0, 23]))],
] as const;

test('partsFor() gives raw tracepoints from bpftrace 0.21 on, and to none that is not known', () => {
  const isRaw = (version?: readonly [number, number]) =>
    partsFor(version).some(({ pathname }) => pathname.endsWith('/execRaw.bt'));
  expect([isRaw(), isRaw([0, 20]), isRaw([0, 21]), isRaw([1, 0])]).toEqual([
    false,
    false,
    true,
    true,
  ]);
});

test.each(programs)('probeProgram() has the heartbeat last, exec by a %s', (exec, program) => {
  const probes = [...program.matchAll(/^((?:raw)?tracepoint|interval):(\S+)/gm)].map(
    ([, kind]) => kind,
  );
  expect(probes).toEqual([exec, ...probes.slice(1, -1).map(() => 'tracepoint'), 'interval']);
  expect(probes.length).toBeGreaterThan(PROBE_KINDS.length);
});

test.each(programs)(
  'probeProgram() prints every kind under its own number of the budget, exec by a %s',
  (_, program) => {
    for (const [index, kind] of PROBE_KINDS.entries()) {
      const block = program
        .split(/^(?=(?:raw)?tracepoint|interval)/m)
        .find((each) => each.includes(`("${kind}"`));
      const numbers = [...(block ?? '').matchAll(/@(?:n|over)\[(\d)/g)].map(([, number]) => number);
      expect(new Set(numbers), kind).toEqual(new Set(kind === 'bypass' ? [] : [String(index + 1)]));
      if (kind === 'bypass') expect(block).toContain(`$kind = ${index + 2} - `);
    }
  },
);

test('probeProgram() says which file is missing', () => {
  const missing = [new URL('file:///proc/self/task/exec.bt')];
  expect(() => probeProgram(missing)).toThrow(TidelockError);
  expect(() => probeProgram(missing)).toThrow(/Cannot start probes: .* cannot be read.*exec\.bt/);
});
