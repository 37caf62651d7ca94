// One call of the program: find the verb, parse its flags, run it, print what went wrong. It returns
// the exit code and never throws.
import { EXIT, type ExitCode } from '#agent/base/codes.ts';
import { asTidelockError, TidelockError } from '#agent/base/errors.ts';
import { didYouMean } from '#agent/yaml/suggest.ts';
import { parseArguments, TIDELOCK, usage, wantsJson } from './arguments.ts';
import { programHelp, verbHelp } from './help.ts';
import { printError, printResult } from './output.ts';
import type { Terminal } from './terminal.ts';
import type { Flags, OutputForm, Verb } from './verb.ts';
import { VERBS, type VerbEntry } from './verbs.ts';

/** Runs `argv` (without the name of `program`) and returns its exit code. */
export function runCommandLine(
  argv: readonly string[],
  terminal: Terminal,
  verbs: readonly VerbEntry[] = VERBS,
  program: string = TIDELOCK,
): Promise<ExitCode> {
  return ended(argv, terminal, async (output) => {
    const args = argv[0] === 'help' ? [...argv.slice(1), '--help'] : argv;
    if (asksForProgramHelp(args)) {
      printResult({ terminal, output }, 'Help', helpDocument(verbs), programHelp(verbs, program));
      return EXIT.ok;
    }
    const family = familyAskedAbout(args, verbs);
    if (family.length > 0) {
      printResult({ terminal, output }, 'Help', helpDocument(family), programHelp(family, program));
      return EXIT.ok;
    }
    const { entry, rest } = findVerb(args, verbs, program);
    const verb = await entry.load();
    return verb.call((loaded) => runVerb(loaded, rest, terminal, program));
  });
}

/** The same for a program of one verb, which has no name. */
export const runOneVerb = <F extends Flags>(
  verb: Verb<F>,
  argv: readonly string[],
  terminal: Terminal,
  program: string,
): Promise<ExitCode> => ended(argv, terminal, () => runVerb(verb, argv, terminal, program));

/** What `run` ends with; an error is printed in the form that `argv` asks for. */
async function ended(
  argv: readonly string[],
  terminal: Terminal,
  run: (output: OutputForm) => Promise<ExitCode>,
): Promise<ExitCode> {
  const output = wantsJson(argv) ? 'json' : 'text';
  try {
    return await run(output);
  } catch (thrown) {
    const error = asTidelockError(thrown, 'cli');
    printError(terminal, error, output);
    return error.exitCode;
  }
}

async function runVerb<F extends Flags>(
  verb: Verb<F>,
  args: readonly string[],
  terminal: Terminal,
  program: string,
): Promise<ExitCode> {
  const { flags, operands, output, help } = parseArguments(verb, args, program);
  if (help) {
    const text = verbHelp(verb, program);
    printResult({ terminal, output }, 'Help', { verb: verb.name, text }, text);
    return EXIT.ok;
  }
  return verb.run({ flags, operands, output, terminal });
}

const asksForHelp = (args: readonly string[]): boolean =>
  args.some((arg) => arg === '--help' || arg === '-h');

const asksForProgramHelp = (args: readonly string[]): boolean =>
  args[0] === undefined || (args[0].startsWith('-') && asksForHelp(args));

/** The verbs of `tidelock agent --help`: those whose first word is the only one given. */
function familyAskedAbout(args: readonly string[], verbs: readonly VerbEntry[]): VerbEntry[] {
  const [first = '', second = '-'] = args;
  const isVerb = verbs.some(({ name }) => name === first);
  if (isVerb || !second.startsWith('-') || !asksForHelp(args)) return [];
  return familyOf(first, verbs);
}

const familyOf = (first: string, verbs: readonly VerbEntry[]): VerbEntry[] =>
  verbs.filter(({ name }) => name.startsWith(`${first} `));

const helpDocument = (verbs: readonly VerbEntry[]) => ({
  verbs: verbs.map(({ name, summary }) => ({ name, summary })),
});

function findVerb(
  argv: readonly string[],
  verbs: readonly VerbEntry[],
  program: string,
): { readonly entry: VerbEntry; readonly rest: readonly string[] } {
  const words = argv.findIndex((arg) => arg.startsWith('-'));
  const named = argv.slice(0, words < 0 ? argv.length : words);
  for (const length of [2, 1]) {
    const name = named.slice(0, length).join(' ');
    const entry = verbs.find((candidate) => candidate.name === name);
    if (entry) return { entry, rest: argv.slice(name.split(' ').length) };
  }
  throw unknownVerb(named, verbs, program);
}

function unknownVerb(
  named: readonly string[],
  verbs: readonly VerbEntry[],
  program: string,
): TidelockError {
  const [first] = named;
  const refused = (state: string): TidelockError => usage('', state, program);
  if (first === undefined) return refused('a verb must come first');
  const family = familyOf(first, verbs).map(({ name }) => name);
  if (family.length > 0) return refused(`${first} is the first word of ${family.join(', ')}`);
  const names = verbs.map(({ name }) => name);
  const near = didYouMean(named.slice(0, 2).join(' '), names) || didYouMean(first, names);
  return refused(`there is no verb ${JSON.stringify(first.slice(0, 80))}${near}`);
}
