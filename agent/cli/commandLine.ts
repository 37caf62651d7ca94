// One call of the program: find the verb, parse its flags, run it, print what went wrong. It returns
// the exit code and never throws.
import { EXIT, type ExitCode } from '#agent/base/codes.ts';
import { asTidelockError, TidelockError } from '#agent/base/errors.ts';
import { didYouMean } from '#agent/yaml/suggest.ts';
import { parseArguments, usage, wantsJson } from './arguments.ts';
import { programHelp, verbHelp } from './help.ts';
import { printError, printResult } from './output.ts';
import type { Terminal } from './terminal.ts';
import type { Flags, Verb } from './verb.ts';
import { VERBS, type VerbEntry } from './verbs.ts';

/** Runs `argv` (without the program's name) and returns its exit code. */
export async function runCommandLine(
  argv: readonly string[],
  terminal: Terminal,
  verbs: readonly VerbEntry[] = VERBS,
): Promise<ExitCode> {
  const output = wantsJson(argv) ? 'json' : 'text';
  try {
    const args = argv[0] === 'help' ? [...argv.slice(1), '--help'] : argv;
    if (asksForProgramHelp(args)) {
      printResult({ terminal, output }, 'Help', helpDocument(verbs), programHelp(verbs));
      return EXIT.ok;
    }
    const family = familyAskedAbout(args, verbs);
    if (family.length > 0) {
      printResult({ terminal, output }, 'Help', helpDocument(family), programHelp(family));
      return EXIT.ok;
    }
    const { entry, rest } = findVerb(args, verbs);
    const verb = await entry.load();
    return await verb.call((loaded) => runVerb(loaded, rest, terminal));
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
): Promise<ExitCode> {
  const { flags, operands, output, help } = parseArguments(verb, args);
  if (help) {
    const text = verbHelp(verb);
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
): { readonly entry: VerbEntry; readonly rest: readonly string[] } {
  const words = argv.findIndex((arg) => arg.startsWith('-'));
  const named = argv.slice(0, words < 0 ? argv.length : words);
  for (const length of [2, 1]) {
    const name = named.slice(0, length).join(' ');
    const entry = verbs.find((candidate) => candidate.name === name);
    if (entry) return { entry, rest: argv.slice(name.split(' ').length) };
  }
  throw unknownVerb(named, verbs);
}

function unknownVerb(named: readonly string[], verbs: readonly VerbEntry[]): TidelockError {
  const [first] = named;
  if (first === undefined) return usage('', 'a verb must come first');
  const family = familyOf(first, verbs).map(({ name }) => name);
  if (family.length > 0) return usage('', `${first} is the first word of ${family.join(', ')}`);
  const names = verbs.map(({ name }) => name);
  const near = didYouMean(named.slice(0, 2).join(' '), names) || didYouMean(first, names);
  return usage('', `there is no verb ${JSON.stringify(first.slice(0, 80))}${near}`);
}
