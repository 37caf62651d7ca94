// The plan and the environment of a rig for pipelines; no rig is built.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assert, property, string } from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { asDotenv, asShell } from './environment.ts';
import { readPlan } from './plan.ts';

const dir = mkdtempSync(join(tmpdir(), 'tl-plan-'));
afterAll(() => rmSync(dir, { recursive: true }));

function planOf(text: string): ReturnType<typeof readPlan> {
  const file = join(dir, 'plan.json');
  writeFileSync(file, text);
  return readPlan(file);
}

describe('readPlan()', () => {
  test('without a file has a client, a server and a stranger', () => {
    expect(readPlan(undefined).pods.map(({ name }) => name)).toEqual([
      'client',
      'stranger',
      'server',
    ]);
  });

  test('takes pods and leaves the rest as it is', () => {
    const pods = [{ name: 'db', node: 'node-b', serviceAccount: 'db' }];
    const plan = planOf(JSON.stringify({ pods }));
    expect(plan).toEqual({ ...readPlan(undefined), pods: [{ ...pods[0], namespace: 'default' }] });
  });

  test.each([
    ['no JSON', '{'],
    ['a node that there is not', '{"pods":[{"name":"x","node":"node-c","serviceAccount":"x"}]}'],
    ['a name with a slash', '{"pods":[{"name":"../x","node":"node-a","serviceAccount":"x"}]}'],
    ['a word that it does not know', '{"pod":[]}'],
    ['no pod at all', '{"pods":[]}'],
  ])('refuses %s and says where', (_, text) => {
    expect(() => planOf(text)).toThrow(/Cannot use the plan .*plan\.json: ./);
  });
});

describe('asShell()', () => {
  test('gives back every value through a shell', () => {
    assert(
      property(string({ unit: 'grapheme-ascii' }), (value) => {
        const script = `${asShell(new Map([['VALUE', value]]))}printf %s "$VALUE"`;
        expect(spawnSync('sh', ['-c', script], { encoding: 'utf8' }).stdout).toBe(value);
      }),
      { numRuns: 30 },
    );
  });
});

test('asDotenv() has one variable a line', () => {
  expect(
    asDotenv(
      new Map([
        ['A', '1'],
        ['B', 'x=y'],
      ]),
    ),
  ).toBe('A=1\nB=x=y\n');
});
