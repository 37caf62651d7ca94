// Tests of the command line: finding verbs, flags, help, errors, exit codes.
import { describe, expect, it } from 'vitest';
import { TidelockError } from '#agent/base/errors.ts';
import { runCommandLine, runOneVerb } from './commandLine.ts';
import { printResult } from './output.ts';
import type { Terminal } from './terminal.ts';
import { defineVerb } from './verb.ts';
import { VERBS, type RunnableVerb, type VerbEntry } from './verbs.ts';

const FLAGS = {
  config: { type: 'string', short: 'c', value: 'FILE', required: true, help: 'a file' },
  fast: { type: 'boolean', help: 'be fast' },
  tag: { type: 'strings', value: 'TAG', help: 'a tag' },
} as const;

const echo = defineVerb({
  name: 'echo loud',
  flags: FLAGS,
  about: 'Repeats its flags.',
  example: 'tidelock echo loud --config x',
  run: async (invocation) => {
    const { flags } = invocation;
    printResult(invocation, 'Echo', { flags }, `${flags.config} ${flags.fast} ${flags.tag.join()}`);
    return 0;
  },
});

const move = defineVerb({
  name: 'move',
  operands: { form: '<from> [to]', min: 1, max: 2 },
  flags: { fast: FLAGS.fast },
  about: 'Moves.',
  example: 'tidelock move a b',
  run: async (invocation) => {
    printResult(invocation, 'Move', {}, invocation.operands.join(' > '));
    return 0;
  },
});

const failing = (thrown: unknown) =>
  defineVerb({
    name: 'fail',
    flags: {},
    about: 'Fails.',
    example: 'tidelock fail',
    run: async () => {
      throw thrown;
    },
  });

const entry = (name: string, verb: RunnableVerb): VerbEntry => ({
  name,
  summary: `what ${name} does`,
  load: async () => verb,
});

const verbs = (thrown?: unknown): VerbEntry[] => [
  entry('echo loud', { call: (use) => use(echo) }),
  entry('move', { call: (use) => use(move) }),
  entry('fail', { call: (use) => use(failing(thrown)) }),
];

const neverStopped = (): AbortSignal => new AbortController().signal;

async function call(argv: string, table: readonly VerbEntry[] = verbs()) {
  let out = '';
  let err = '';
  const terminal: Terminal = {
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    env: {},
    cwd: '/',
    stopSignal: neverStopped,
  };
  const exit = await runCommandLine(argv.split(' ').filter(Boolean), terminal, table);
  return { exit, out, err };
}

describe('runCommandLine()', () => {
  it('runCommandLine() gives a verb of two words its flags', async () => {
    expect(await call('echo loud -c x --tag a --fast --tag=b')).toEqual({
      exit: 0,
      out: 'x true a,b\n',
      err: '',
    });
    expect(JSON.parse((await call('echo loud --config=x -o json')).out)).toEqual({
      apiVersion: 'tidelock/v1',
      kind: 'Echo',
      flags: { config: 'x', fast: false, tag: [] },
    });
  });

  it.each([
    ['echo loud', '--config FILE is missing'],
    ['echo loud --confg x', 'it has no flag --confg; did you mean --config?'],
    ['echo loud -c x --fast=1', '--fast takes no value'],
    ['echo loud -c', '-c needs a value FILE'],
    ['echo loud --config=', '--config needs a value FILE'],
    ['echo loud -c x more', 'it takes no argument "more"'],
    ['echo loud -c x --config=y', '--config is given twice'],
    ['echo loud -c x --output=text -o text', '--output is given twice'],
    ['echo loud -c x -o yaml', '--output is "yaml" and must be text or json'],
    ['echo loud -c x --constructor', 'it has no flag --constructor'],
    ['echo', 'echo is the first word of echo loud'],
    ['ecko loud', 'there is no verb "ecko"; did you mean echo loud?'],
    ['move', '<from> [to] is missing'],
    ['move a b c', 'it takes <from> [to]; "c" is one word too many'],
    ['fial', 'there is no verb "fial"; did you mean fail?'],
    ['--fast', 'a verb must come first'],
    ['help nothing', 'there is no verb "nothing"'],
  ])('runCommandLine() refuses `%s`: %s', async (argv, state) => {
    const { exit, out, err } = await call(argv);
    expect({ exit, out }).toEqual({ exit: 2, out: '' });
    expect(err.split('\n')[0]).toMatch(/^error USAGE: Cannot run tidelock/);
    expect(err.split('\n')[0]?.endsWith(`: ${state}`)).toBe(true);
    expect(err).toMatch(/\n {2}hint: See `tidelock.* --help`\.\n$/);
  });

  it.each(['-o json', '--output json', '--output=json', '-ojson'])(
    'runCommandLine() prints an error as JSON on standard output with %s',
    async (form) => {
      const { exit, out, err } = await call(`echo loud --nope ${form}`);
      expect({ exit, err }).toEqual({ exit: 2, err: '' });
      expect(JSON.parse(out)).toEqual({
        error: {
          code: 'USAGE',
          op: 'cli.parse',
          message: expect.any(String),
          hint: expect.any(String),
          retryable: false,
        },
      });
    },
  );

  it('runCommandLine() takes the exit code of a coded error and 1 for anything else', async () => {
    const coded = new TidelockError('SIGNATURE_INVALID', {
      op: 'x',
      message: 'Cannot x',
      hint: 'y',
    });
    expect(await call('fail', verbs(coded))).toEqual({
      exit: 3,
      out: '',
      err: 'error SIGNATURE_INVALID: Cannot x\n  hint: y\n',
    });
    expect((await call('fail', verbs(new TypeError('oops')))).exit).toBe(1);
    expect((await call('fail', verbs('a string'))).err).toMatch(/^error INTERNAL: .*a string/);
  });

  it.each(['', '--help', '-h', 'help'])(
    'runCommandLine() lists every verb for `%s`',
    async (argv) => {
      const { exit, out } = await call(argv);
      expect(exit).toBe(0);
      for (const name of ['echo loud', 'move', 'fail'])
        expect(out).toMatch(new RegExp(`^ {2}${name} `, 'm'));
    },
  );

  it.each(['echo loud --help', 'help echo loud', 'echo loud -h'])(
    'runCommandLine() shows flags and an example for `%s`',
    async (argv) => {
      const { exit, out } = await call(argv);
      expect(exit).toBe(0);
      for (const part of [
        '--config FILE',
        '--tag TAG',
        '-o, --output',
        'tidelock echo loud --config x',
      ]) {
        expect(out).toContain(part);
      }
    },
  );

  it('runCommandLine() gives a verb its operands, wherever its flags stand', async () => {
    expect((await call('move a --fast b')).out).toBe('a > b\n');
    expect((await call('move -- --a')).out).toBe('--a\n');
    expect((await call('move --help')).out).toMatch(
      /^Usage: tidelock move <from> \[to\] \[flags\]/,
    );
  });

  it.each(['echo --help', 'echo -h', 'help echo'])(
    'runCommandLine() lists the verbs that begin with the word of `%s`',
    async (argv) => {
      const { exit, out } = await call(argv);
      expect(exit).toBe(0);
      expect(out).toMatch(/^ {2}echo loud /m);
      expect(out).not.toMatch(/^ {2}fail /m);
    },
  );

  it('runCommandLine() gives help as JSON too', async () => {
    expect(JSON.parse((await call('help -o json')).out)).toMatchObject({
      kind: 'Help',
      verbs: [{ name: 'echo loud' }, { name: 'move' }, { name: 'fail' }],
    });
    expect(JSON.parse((await call('help fail -o json')).out)).toMatchObject({ verb: 'fail' });
  });
});

describe('runCommandLine() for a program beside the product', () => {
  const PROGRAM = 'npm run x --';
  const heard = async (run: (terminal: Terminal) => Promise<number>) => {
    let said = '';
    const say = (text: string) => void (said += text);
    const exit = await run({ out: say, err: say, env: {}, cwd: '/', stopSignal: neverStopped });
    return { exit, said };
  };

  it.each([
    [['--help'], 'Usage: npm run x -- VERB [flags]'],
    [['move', '--help'], 'Usage: npm run x -- move <from> [to] [flags]'],
    [['move'], 'Cannot run npm run x -- move: <from> [to] is missing'],
    [['move'], 'See `npm run x -- move --help`.'],
    [['nothing'], 'Cannot run npm run x --: there is no verb "nothing"'],
  ])('runCommandLine() names it for %j', async (argv, text) => {
    const run = (terminal: Terminal) => runCommandLine(argv, terminal, verbs(), PROGRAM);
    expect((await heard(run)).said).toContain(text);
  });

  it('runOneVerb() runs a verb that has no name', async () => {
    const alone = (...argv: string[]) =>
      heard((terminal) => runOneVerb({ ...move, name: '' }, argv, terminal, PROGRAM));
    expect(await alone('a', 'b')).toEqual({ exit: 0, said: 'a > b\n' });
    expect((await alone('--help')).said).toMatch(/^Usage: npm run x -- <from> \[to\] \[/);
    const { exit, said } = await alone('a', '--no');
    expect(exit).toBe(2);
    expect(said).toMatch(/Cannot run npm run x --: it has no flag --no\n.*`npm run x -- --help`/);
  });
});

describe('VERBS', () => {
  it.each(VERBS.map((one) => [one.name, one] as const))(
    'VERBS %s loads and can show its help',
    async (name, one) => {
      const { exit, out } = await call(`${name} --help`, [one]);
      expect(exit).toBe(0);
      expect(out).toContain(`Usage: tidelock ${name}`);
      expect(out).toContain(`  tidelock ${name}`);
    },
  );

  it('VERBS has `version`, which prints one JSON document', async () => {
    const { out } = await call('version -o json', VERBS);
    expect(JSON.parse(out)).toMatchObject({ kind: 'Version', version: expect.any(String) });
  });
});
