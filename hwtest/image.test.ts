// The Dockerfile, judged from its text where no daemon builds it: every file it copies is in its context,
// the image has what the agent calls and nothing to build with, and the data plane's user exists.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { configSchema } from '#agent/configSchema.ts';

const ROOT = join(import.meta.dirname, '..');
const textOf = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

interface Instruction {
  readonly word: string;
  readonly value: string;
}

/** The stages of the Dockerfile, each a list of instructions with their continued lines joined. */
function stages(): Instruction[][] {
  const joined = textOf('Dockerfile')
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll(/\s*\\\n\s*/g, ' ');
  const instructions = joined
    .split('\n')
    .filter((line) => line !== '')
    .map((line): Instruction => {
      const [, word = '', value = ''] = /^([A-Z]+) (.*)$/.exec(line) ?? [];
      return { word, value };
    });
  const starts = instructions.flatMap(({ word }, index) => (word === 'FROM' ? [index] : []));
  return starts.map((start, i) => instructions.slice(start, starts[i + 1]));
}

const all = stages();
const [build = [], image = []] = all;
const valuesOf = (stage: readonly Instruction[], word: string): string[] =>
  stage.filter((each) => each.word === word).map(({ value }) => value);

/** Sources of COPY instructions that come from the checkout. */
const copied = valuesOf(build, 'COPY').flatMap((value) => value.split(' ').slice(0, -1));
const packages = / install -y --no-install-recommends ([a-z0-9 -]+?) &&/
  .exec(valuesOf(image, 'RUN').join('\n'))?.[1]
  ?.split(' ');

describe('Dockerfile', () => {
  test('has two stages and only instructions that were meant', () => {
    expect(all).toHaveLength(2);
    const words = new Set(all.flat().map(({ word }) => word));
    expect([...words].toSorted()).toEqual([
      'CMD',
      'COPY',
      'ENTRYPOINT',
      'FROM',
      'RUN',
      'USER',
      'WORKDIR',
    ]);
  });

  test('copies what is in the checkout and in its context', () => {
    const allowed = textOf('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    expect(copied.length).toBeGreaterThan(5);
    expect(copied.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
    expect(copied.filter((path) => !allowed.includes(path))).toEqual([]);
  });

  test('copies every folder of the product', () => {
    expect(copied).toEqual(expect.arrayContaining(['agent', 'attest', 'probes', 'proxy']));
  });

  test('takes into the image the bundle and Node, and no modules', () => {
    expect(valuesOf(image, 'COPY')).toEqual([
      '--from=bundle /node /usr/local/bin/node',
      '--from=bundle /app /opt/tidelock',
    ]);
  });

  test('has the programs that the agent calls, and the library of Node 26', () => {
    expect(packages).toEqual(
      expect.arrayContaining(['bpftrace', 'libatomic1', 'nftables', 'tpm2-tools', 'util-linux']),
    );
  });

  test('has the user that the data plane becomes', () => {
    const lanes = configSchema.shape.lanes.safeParse({ address: '192.0.2.1' });
    const uid = (lanes.data as { readonly uid: number }).uid;
    const commands = valuesOf(image, 'RUN').join('\n');
    expect(commands).toContain(`groupadd --gid ${uid} `);
    expect(commands).toContain(`--uid ${uid} --gid ${uid} `);
  });

  test('starts the agent with the configuration of the DaemonSet', () => {
    const args = /args: \[(agent, run.*)\]/.exec(textOf('daemonset/base/daemonset.yaml'))?.[1];
    const [command = ''] = valuesOf(image, 'CMD');
    expect((JSON.parse(command) as string[]).join(', ')).toBe(args);
    expect(valuesOf(image, 'ENTRYPOINT')).toEqual(['["tidelock"]']);
  });
});
