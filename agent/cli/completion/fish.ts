// The completion script for fish: one `complete` line a flag and a place. It starts a program only to ask
// for the names of pods.
import { families, secondWords, type CommandShape, type FlagShape, type Offer } from './shape.ts';

/** The script; fish 3.0 or newer. */
export function fishScript(shapes: readonly CommandShape[]): string {
  return `# Completion of tidelock for fish, made of its own verbs by: tidelock completion fish
function __tidelock_verb
    set -l words (commandline -opc)[2..-1]
    switch "$words[1] $words[2]"
${shapes
  .filter(({ name }) => name.includes(' '))
  .map(({ name }) => `        case ${fishQuoted(name)}\n            echo ${name}`)
  .join('\n')}
        case '*'
            echo $words[1]
    end
end

function __tidelock_is
    test (__tidelock_verb) = "$argv"
end

function __tidelock_slot -a wanted
    set -l verb (__tidelock_verb)
    set -l words (commandline -opc)[2..-1]
    set -e words[1..(count (string split ' ' -- $verb))]
    set -l slot 0
    set -l skip 0
    for word in $words
        if test $skip = 1
            set skip 0
        else if contains -- "$verb $word" $__tidelock_valued
            set skip 1
        else if not string match -q -- '-*' $word
            set slot (math $slot + 1)
        end
    end
    test $slot = $wanted
end

function __tidelock_pods
    set -l program (commandline -opc)[1]
    $program completion pods 2>/dev/null
end

set -g __tidelock_valued ${valued(shapes).map(fishQuoted).join(' ')}
complete -c tidelock -f
${firstLines(shapes).join('\n')}
${shapes.flatMap(verbLines).join('\n')}
`;
}

const valued = (shapes: readonly CommandShape[]): string[] =>
  shapes.flatMap(({ name, flags }) =>
    flags.flatMap(({ forms, value }) => (value ? forms.map((form) => `${name} ${form}`) : [])),
  );

const NO_VERB = 'test (count (commandline -opc)) = 1';

function firstLines(shapes: readonly CommandShape[]): string[] {
  const singles = shapes.filter(({ name }) => !name.includes(' '));
  const found = families(shapes);
  return [
    ...[...singles, { name: 'help', summary: 'show what a verb does' }].map(({ name, summary }) =>
      line(NO_VERB, `-a ${fishQuoted(name)} -d ${fishQuoted(summary)}`),
    ),
    ...found
      .filter((word) => !singles.some(({ name }) => name === word))
      .map((word) =>
        line(NO_VERB, `-a ${word} -d ${fishQuoted(secondWords(shapes, word).join(', '))}`),
      ),
    ...found.flatMap((word) =>
      shapes
        .filter(({ name }) => name.startsWith(`${word} `))
        .map(({ name, summary }) =>
          line(
            `test (count (commandline -opc)) = 2; and test (commandline -opc)[2] = ${word}`,
            `-a ${name.slice(word.length + 1)} -d ${fishQuoted(summary)}`,
          ),
        ),
    ),
  ];
}

const verbLines = ({ name, flags, operands }: CommandShape): string[] => [
  ...flags.map((flag) => line(`__tidelock_is ${name}`, flagText(flag))),
  ...operands.flatMap((offer, slot) =>
    offer.kind === 'any'
      ? []
      : [line(`__tidelock_is ${name}; and __tidelock_slot ${slot}`, offerText(offer))],
  ),
];

const flagText = ({ name, short, help, value }: FlagShape): string =>
  [
    `-l ${name}`,
    ...(short === undefined ? [] : [`-s ${short}`]),
    ...(value ? [value.kind === 'files' ? '-r -F' : `-x ${offerText(value)}`] : []),
    `-d ${fishQuoted(help)}`,
  ].join(' ');

function offerText(offer: Offer): string {
  switch (offer.kind) {
    case 'words':
      return `-a ${fishQuoted(offer.words.join(' '))}`;
    case 'files':
      return '-F';
    case 'pods':
      return "-a '(__tidelock_pods)'";
    case 'any':
      return '';
  }
}

const line = (condition: string, rest: string): string =>
  `complete -c tidelock -n ${fishQuoted(condition)} ${rest}`.trimEnd();

/** Between single quotes, fish knows two escapes. */
function fishQuoted(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}
