import { expect, test } from 'vitest';
import { TidelockError } from '#agent/base/errors.ts';
import { PROBE_KINDS } from './events.ts';
import { probeProgram } from './program.ts';

const program = probeProgram();

test('probeProgram() has the heartbeat last: its first tick proves the others', () => {
  const probes = [...program.matchAll(/^(tracepoint|interval):(\S+)/gm)].map(([, kind]) => kind);
  expect(probes).toEqual([...probes.slice(0, -1).map(() => 'tracepoint'), 'interval']);
  expect(probes.length).toBeGreaterThan(PROBE_KINDS.length);
});

test('probeProgram() prints every kind under its own number of the budget', () => {
  for (const [index, kind] of PROBE_KINDS.entries()) {
    const block = program
      .split(/^(?=tracepoint|interval)/m)
      .find((each) => each.includes(`("${kind}"`));
    const numbers = [...(block ?? '').matchAll(/@(?:n|over)\[(\d)/g)].map(([, number]) => number);
    expect(new Set(numbers), kind).toEqual(new Set(kind === 'bypass' ? [] : [String(index + 1)]));
    if (kind === 'bypass') expect(block).toContain(`$kind = ${index + 2} - `);
  }
});

test('probeProgram() says which file is missing', () => {
  const missing = [new URL('file:///proc/self/task/exec.bt')];
  expect(() => probeProgram(missing)).toThrow(TidelockError);
  expect(() => probeProgram(missing)).toThrow(/Cannot start probes: .* cannot be read.*exec\.bt/);
});
