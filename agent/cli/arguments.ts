// From an argument vector to the flag values and operands of one verb. Every mistake is a USAGE error
// that names the flag and, where one is near, the flag that was meant.
import { parseArgs } from 'node:util';
import { TidelockError } from '#agent/base/errors.ts';
import { didYouMean } from '#agent/yaml/suggest.ts';
import type { Flags, FlagValues, OutputForm, Verb } from './verb.ts';

/** Flags of every verb. */
export const COMMON_FLAGS = {
  output: { type: 'string', short: 'o', value: 'text|json', help: 'form of the output' },
  help: { type: 'boolean', short: 'h', help: 'show this help' },
} as const satisfies Flags;

export interface Arguments<F extends Flags> {
  readonly flags: FlagValues<F>;
  readonly operands: readonly string[];
  readonly output: OutputForm;
  readonly help: boolean;
}

/** How the product is called; programs beside it, of the same parts, have names of their own. */
export const TIDELOCK = 'tidelock';

/**
 * Errors: USAGE, about `verb` of `program`. Required flags and operands are not asked for when help is.
 */
export function parseArguments<F extends Flags>(
  verb: Verb<F>,
  args: readonly string[],
  program: string,
): Arguments<F> {
  const refused: Refused = (state) => usage(verb.name, state, program);
  const known: Flags = { ...verb.flags, ...COMMON_FLAGS };
  const { tokens } = parseArgs({
    args: [...args],
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: Object.fromEntries(
      Object.entries(known).map(([name, flag]) => [
        name,
        {
          type: flag.type === 'boolean' ? ('boolean' as const) : ('string' as const),
          ...(flag.short === undefined ? {} : { short: flag.short }),
        },
      ]),
    ),
  });
  const values = new Map<string, string[]>();
  const operands: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') {
      operands.push(token.value);
      if (operands.length > (verb.operands?.max ?? 0)) throw oneTooMany(refused, verb, token.value);
    }
    if (token.kind !== 'option') continue;
    const flag = Object.hasOwn(known, token.name) ? known[token.name] : undefined;
    if (flag === undefined) {
      const near = didYouMean(token.name, Object.keys(known));
      throw refused(`it has no flag ${token.rawName}${near && near.replace('mean ', 'mean --')}`);
    }
    const before = values.get(token.name) ?? [];
    if (flag.type === 'string' && before.length > 0) {
      throw refused(`--${token.name} is given twice`);
    }
    values.set(token.name, [...before, valueOf(refused, flag, token)]);
  }
  const help = values.has('help');
  const asked = values.get('output')?.[0] ?? 'text';
  const output = asked === 'table' ? 'text' : asked; // what kubectl and others call it
  if (output !== 'text' && output !== 'json') {
    throw refused(`--output is ${quoted(output)} and must be text or json`);
  }
  const absent = help ? [] : missing(verb, values, operands);
  if (absent.length > 0) throw refused(absent.map((what) => `${what} is missing`).join('; '));
  return { flags: flagValues(verb.flags, values), operands, output, help };
}

const NO_OPERANDS = { form: '', min: 0, max: 0 };

/** What the verb cannot do without and was not given, as the help shows it. */
function missing<F extends Flags>(
  { flags, operands: { form, min } = NO_OPERANDS }: Verb<F>,
  values: ReadonlyMap<string, unknown>,
  operands: readonly string[],
): string[] {
  const required = Object.entries(flags).filter(
    ([name, flag]) => flag.required && !values.has(name),
  );
  return [
    ...(operands.length < min ? [form] : []),
    ...required.map(([name, { value = '' }]) => `--${name} ${value}`.trimEnd()),
  ];
}

/** Whether the arguments ask for JSON, however wrong the rest of them may be. */
export function wantsJson(args: readonly string[]): boolean {
  return args.some(
    (arg, i) =>
      arg === '--output=json' ||
      arg === '-ojson' ||
      (arg === 'json' && (args[i - 1] === '-o' || args[i - 1] === '--output')),
  );
}

/** A USAGE error about a verb; an empty `verb` is the program itself. */
export function usage(verb: string, state: string, program: string = TIDELOCK): TidelockError {
  const call = `${program} ${verb}`.trim();
  return new TidelockError('USAGE', {
    op: 'cli.parse',
    message: `Cannot run ${call}: ${state}`,
    hint: `See \`${call} --help\`.`,
  });
}

/** A USAGE error about the verb that is being parsed. */
type Refused = (state: string) => TidelockError;

const oneTooMany = (refused: Refused, { operands }: Verb, word: string): TidelockError =>
  refused(
    operands
      ? `it takes ${operands.form}; ${quoted(word)} is one word too many`
      : `it takes no argument ${quoted(word)}`,
  );

interface OptionToken {
  readonly rawName: string;
  readonly value?: string | undefined;
}

function valueOf(refused: Refused, flag: Flags[string], token: OptionToken): string {
  if (flag.type === 'boolean') {
    if (token.value !== undefined) throw refused(`${token.rawName} takes no value`);
    return 'true';
  }
  if (token.value === undefined || (token.value === '' && flag.mayBeEmpty !== true)) {
    throw refused(`${token.rawName} needs a value ${flag.value ?? ''}`.trimEnd());
  }
  return token.value;
}

function flagValues<F extends Flags>(
  flags: F,
  values: ReadonlyMap<string, readonly string[]>,
): FlagValues<F> {
  const entries = Object.entries(flags).map(([name, flag]) => {
    const given = values.get(name);
    if (flag.type === 'boolean') return [name, given !== undefined];
    return [name, flag.type === 'strings' ? (given ?? []) : given?.[0]];
  });
  return Object.fromEntries(entries) as FlagValues<F>; // keys and types are those of `flags`
}

const quoted = (text: string): string => JSON.stringify(text.slice(0, 80));
