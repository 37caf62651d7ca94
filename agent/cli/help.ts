// Help texts, made of what the verbs say about themselves; there is no second list to keep in step.
import { COMMON_FLAGS } from './arguments.ts';
import type { Flag, Flags, Verb } from './verb.ts';

export interface VerbSummary {
  readonly name: string;
  readonly summary: string;
}

/** The help of `program`: every verb with one line. */
export function programHelp(verbs: readonly VerbSummary[], program: string): string {
  return [
    'tidelock: node attestation and encrypted lanes between the nodes of a cluster',
    '',
    `Usage: ${program} VERB [flags]`,
    '',
    ...columns(verbs.map((verb) => [verb.name, verb.summary])),
    '',
    'Every verb takes -o text|json and --help.',
    '',
  ].join('\n');
}

/** The help of one verb of `program`: what it does, its flags, an example. */
export function verbHelp<F extends Flags>(verb: Verb<F>, program: string): string {
  const flags: Flags = { ...verb.flags, ...COMMON_FLAGS };
  const required = Object.entries(verb.flags).filter(([, flag]) => flag.required);
  const call = [
    `${program} ${verb.name}`.trim(),
    ...(verb.operands ? [verb.operands.form] : []),
    ...required.map(([name, flag]) => flagForm(name, flag)),
  ];
  return [
    `Usage: ${call.join(' ')} [flags]`,
    '',
    verb.about,
    '',
    'Flags:',
    ...columns(
      Object.entries(flags).map(([name, flag]) => [
        `${flag.short === undefined ? '    ' : `-${flag.short}, `}${flagForm(name, flag)}`,
        flag.help,
      ]),
    ),
    '',
    'Example:',
    ...verb.example.split('\n').map((line) => `  ${line}`),
    '',
  ].join('\n');
}

const flagForm = (name: string, flag: Flag): string =>
  flag.value === undefined ? `--${name}` : `--${name} ${flag.value}`;

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}
