// Tests of the completion scripts in the shells themselves. A shell that is not installed is skipped.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VERBS } from '#agent/cli/verbs.ts';
import { bashScript } from './bash.ts';
import { fishScript } from './fish.ts';
import { firstWords, shapesOf } from './shape.ts';
import { zshScript } from './zsh.ts';

const shapes = await shapesOf(VERBS);
let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'tidelock-completion-'));
  writeFileSync(join(dir, 'bash'), bashScript(shapes));
  writeFileSync(join(dir, 'zsh'), zshScript(shapes));
  writeFileSync(join(dir, 'fish'), fishScript(shapes));
  writeFileSync(join(dir, 'config.yaml'), '');
});
afterAll(() => rmSync(dir, { recursive: true }));

/** Why a shell's tests are skipped, or undefined. */
const without = (shell: string): string | undefined =>
  spawnSync(shell, ['--version']).status === 0 ? undefined : `(skipped: no ${shell} is installed)`;
const [noBash, noZsh, noFish] = [without('bash'), without('zsh'), without('fish')];

/** A line up to the cursor, and what is offered there; `PODS` and `FILE` are the test's own. */
const CASES: readonly (readonly [line: string, offered: readonly string[]])[] = [
  ['tidelock ep', ['epochs']],
  ['tidelock agent ', ['run']],
  ['tidelock doctor ex', ['explain']],
  ['tidelock agent run --state', ['--state-dir']],
  ['tidelock status --so', ['--socket']],
  ['tidelock status -o ', ['json', 'text']],
  ['tidelock status --output j', ['json']],
  ['tidelock why ', ['shop/db-0', 'shop/web-0']],
  ['tidelock why shop/w', ['shop/web-0']],
  ['tidelock why shop/web-0 ', ['to']],
  ['tidelock why --node x shop/web-0 to shop/d', ['shop/db-0']],
  ['tidelock lanes --pod shop/d', ['shop/db-0']],
  ['tidelock completion b', ['bash']],
  ['tidelock status --config conf', ['config.yaml']],
  ['tidelock lanes --peer ', []],
];

/** Stands in for the program, which would ask an agent. */
const PODS = String.raw`tidelock() { [[ "$*" == "completion pods" ]] && printf '%s\n' shop/web-0 shop/db-0; }`;

describe.skipIf(noBash)(`bashScript() ${noBash ?? ''}`, () => {
  /** Words as bash gives them: split at spaces and at `=`. */
  const offeredBy = (line: string): string[] => {
    const words = line.split(/\s+|(=)/).filter((word) => word !== undefined);
    const text = execFileSync(
      'bash',
      [
        '--norc',
        '-c',
        `source ./bash; ${PODS}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tidelock; printf '%s\\n' "\${COMPREPLY[@]}"`,
        'bash',
        ...words,
      ],
      { cwd: dir, encoding: 'utf8' },
    );
    return text.split('\n').filter(Boolean).sort();
  };

  it.each(CASES)('bashScript() completes `%s`', (line, offered) => {
    expect(offeredBy(line)).toEqual(offered);
  });

  it('bashScript() offers every verb first, and reads --flag=value', () => {
    expect(offeredBy('tidelock ')).toEqual(firstWords(shapes).sort());
    expect(offeredBy('tidelock status --output=')).toEqual(['json', 'text']);
    expect(offeredBy('tidelock status --output=j')).toEqual(['json']);
  });

  it('bashScript() offers every flag of every verb', () => {
    for (const { name, flags } of shapes) {
      const forms = flags.flatMap((flag) => flag.forms);
      expect(offeredBy(`tidelock ${name} -`), name).toEqual(forms.sort());
    }
  });
});

describe.skipIf(noFish)(`fishScript() ${noFish ?? ''}`, () => {
  const offeredBy = (line: string): string[] => {
    const text = execFileSync(
      'fish',
      [
        '--no-config',
        '-c',
        `function tidelock; test "$argv" = 'completion pods'; and printf '%s\\n' shop/web-0 shop/db-0; end; source ./fish; complete -C $argv[1]`,
        line,
      ],
      { cwd: dir, encoding: 'utf8', env: { ...process.env, HOME: dir } },
    );
    return text
      .split('\n')
      .map((shown) => shown.split('\t', 1)[0] ?? '')
      .filter(Boolean)
      .sort();
  };

  it.each(CASES)('fishScript() completes `%s`', (line, offered) => {
    expect(offeredBy(line)).toEqual(offered);
  });

  it('fishScript() offers every verb first', () => {
    expect(offeredBy('tidelock ')).toEqual(firstWords(shapes).sort());
  });
});

describe.skipIf(noZsh)(`zshScript() ${noZsh ?? ''}`, () => {
  beforeAll(() => {
    writeFileSync(
      join(dir, '.zshrc'),
      [
        'PS1=',
        'autoload -U compinit',
        'compinit -u -D',
        PODS,
        'source ./zsh',
        'show() { zle complete-word; print -r -- "LINE<$BUFFER>" }',
        'zle -N show',
        'bindkey "^I" show',
        'print READY',
      ].join('\n'),
    );
  });

  /** The line as it stands after a press of Tab, in an interactive zsh on a terminal of its own. */
  const completed = (line: string): string => {
    const script = `
      zmodload zsh/zpty
      zpty -b z zsh -d -i
      zpty -r z out '*READY*'
      zpty -w -n z "$1"$'\\t'
      zpty -r z out '*LINE<*>*'
      print -r -- "$out"`;
    const text = execFileSync('zsh', ['-f', '-c', script, 'zsh', line], {
      cwd: dir,
      encoding: 'utf8',
      env: { ...process.env, ZDOTDIR: dir },
      timeout: 20_000,
    });
    return /LINE<([^>]*)>/.exec(text)?.[1] ?? '';
  };

  it.each(CASES.filter(([, offered]) => offered.length === 1))(
    'zshScript() completes `%s`',
    (line, [word = '']) => {
      const begun = line.slice(0, line.lastIndexOf(' ') + 1);
      expect(completed(line).trimEnd().replace(/=$/, '')).toBe(begun + word);
    },
  );

  it('zshScript() reads --flag=value', () => {
    expect(completed('tidelock status --output=j')).toBe('tidelock status --output=json ');
  });
});
