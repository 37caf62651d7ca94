// The completion script for zsh: `_arguments` with one specification a verb. It starts a program only to
// ask for the names of pods.
import {
  families,
  quoted,
  secondWords,
  type CommandShape,
  type FlagShape,
  type Offer,
} from './shape.ts';

/** The script; for a file `_tidelock` on fpath, or to be sourced after compinit. */
export function zshScript(shapes: readonly CommandShape[]): string {
  return `#compdef tidelock
# Completion of tidelock for zsh, made of its own verbs by: tidelock completion zsh
_tidelock_pods() {
  local -a pods
  pods=(\${(f)"$(_call_program pods $service completion pods 2>/dev/null)"})
  compadd -a pods
}

_tidelock() {
  local -a verbs
  if ((CURRENT == 2)); then
    verbs=(
${single(shapes).map(describe).join('\n')}
${families(shapes)
  .filter((word) => !shapes.some(({ name }) => name === word))
  .map((word) => `      ${quoted(`${word}:${secondWords(shapes, word).join(', ')}`)}`)
  .join('\n')}
      'help:show what a verb does'
    )
    _describe -t verbs verb verbs
    return
  fi
${families(shapes)
  .map(
    (word) => `  if ((CURRENT == 3)) && [[ $words[2] == ${word} ]]; then
    verbs=(
${shapes
  .filter(({ name }) => name.startsWith(`${word} `))
  .map((shape) => describe({ ...shape, name: shape.name.slice(word.length + 1) }))
  .join('\n')}
    )
    _describe -t verbs verb verbs
  fi
`,
  )
  .join('')}  local verb="$words[2]" skip=1
  case "$words[2] $words[3]" in
${shapes
  .filter(({ name }) => name.includes(' '))
  .map(({ name }) => `    ${quoted(name)}) ((CURRENT > 3)) && verb=${quoted(name)} skip=2 ;;`)
  .join('\n')}
  esac
  words=("\${(@)words[skip + 1, -1]}")
  ((CURRENT -= skip))
  case "$verb" in
${shapes.map(verbCase).join('\n')}
  esac
}

if [[ $funcstack[1] == _tidelock ]]; then _tidelock "$@"; else compdef _tidelock tidelock; fi
`;
}

const single = (shapes: readonly CommandShape[]): CommandShape[] =>
  shapes.filter(({ name }) => !name.includes(' '));

const describe = ({ name, summary }: Pick<CommandShape, 'name' | 'summary'>): string =>
  `      ${quoted(`${name}:${summary.replace(/:/g, '\\:')}`)}`;

const verbCase = ({ name, flags, operands }: CommandShape): string =>
  `    ${quoted(name)})
      _arguments -S \\
        ${[...flags.flatMap(flagSpecs), ...operands.map(operandSpec)].join(' \\\n        ')} ;;`;

/** One specification for each form, each excluding the others. */
const flagSpecs = ({ forms, help, value, name }: FlagShape): string[] =>
  forms.map((form) => {
    const takes = value ? (form.startsWith('--') ? '=' : '+') : '';
    const what = value ? `:${name}:${action(value)}` : '';
    const told = help.replace(/[[\]:\\]/g, '\\$&');
    return quoted(`(${forms.join(' ')})${form}${takes}[${told}]${what}`);
  });

const operandSpec = (offer: Offer, slot: number): string =>
  quoted(`${slot + 1}::operand:${action(offer)}`);

const action = (offer: Offer): string => {
  switch (offer.kind) {
    case 'words':
      return `(${offer.words.join(' ')})`;
    case 'files':
      return '_files';
    case 'pods':
      return '_tidelock_pods';
    case 'any':
      return ' ';
  }
};
