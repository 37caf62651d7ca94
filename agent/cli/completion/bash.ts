// The completion script for bash: one function, tables as `case` words. It needs no bash-completion
// package and starts a program only to ask for the names of pods.
import {
  families,
  firstWords,
  quoted,
  secondWords,
  type CommandShape,
  type Offer,
} from './shape.ts';

/** The script; bash 4.2 or newer. */
export function bashScript(shapes: readonly CommandShape[]): string {
  return `# Completion of tidelock for bash, made of its own verbs by: tidelock completion bash
_tidelock() {
  local args=() verb valued flags offer='' i at=1 slot=0 skip=0
  COMPREPLY=()
  # bash splits --flag=value at the sign: here it is two words.
  for ((i = 1; i <= COMP_CWORD; i++)); do
    if [[ \${COMP_WORDS[i]} != '=' ]]; then args+=("\${COMP_WORDS[i]}")
    elif ((i == COMP_CWORD)); then args+=(''); fi
  done
  local last=$((\${#args[@]} - 1))
  local cur="\${args[last]}"
  if ((last == 0)); then
    COMPREPLY=($(compgen -W ${quoted(firstWords(shapes).join(' '))} -- "$cur"))
    return
  fi
  verb="\${args[0]}"
  if ((last > 1)); then
    case "$verb \${args[1]}" in
${shapes
  .filter(({ name }) => name.includes(' '))
  .map(({ name }) => `      ${quoted(name)}) verb="$verb \${args[1]}" at=2 ;;`)
  .join('\n')}
    esac
  fi
  case "$verb" in
${shapes
  .map(
    ({ name, flags }) =>
      `    ${quoted(name)})
      flags=${quoted(flags.flatMap(({ forms }) => forms).join(' '))}
      valued=${quoted(` ${flags.flatMap(({ forms, value }) => (value ? forms : [])).join(' ')} `)} ;;`,
  )
  .join('\n')}
    *) flags='--help' valued=' ' ;;
  esac
  for ((i = at; i < last; i++)); do
    if ((skip)); then skip=0
    elif [[ $valued == *" \${args[i]} "* ]]; then skip=1
    elif [[ \${args[i]} != -* ]]; then slot=$((slot + 1)); fi
  done
  if ((skip)); then
    case "$verb \${args[last - 1]}" in
${valueCases(shapes)}
    esac
  elif [[ $cur == -* ]]; then
    offer="words $flags"
  else
    case "$verb $slot" in
${slotCases(shapes)}
    esac
    if ((last == 1)); then
      case "$verb" in
${families(shapes)
  .map(
    (word) =>
      `        ${quoted(word)}) offer="words \${offer#words} ${secondWords(shapes, word).join(' ')}" ;;`,
  )
  .join('\n')}
      esac
    fi
    [[ -n $offer ]] || offer="words $flags"
  fi
  case "$offer" in
    'words '*) COMPREPLY=($(compgen -W "\${offer#words }" -- "$cur")) ;;
    files) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")) ;;
    pods) COMPREPLY=($(compgen -W "$("\${COMP_WORDS[0]}" completion pods 2>/dev/null)" -- "$cur")) ;;
  esac
}
complete -F _tidelock tidelock
`;
}

const offerText = (offer: Offer): string =>
  offer.kind === 'words' ? `words ${offer.words.join(' ')}` : offer.kind;

const valueCases = (shapes: readonly CommandShape[]): string =>
  shapes
    .flatMap(({ name, flags }) =>
      flags.flatMap(({ forms, value }) => {
        if (!value) return [];
        const patterns = forms.map((form) => quoted(`${name} ${form}`)).join(' | ');
        return [`      ${patterns}) offer=${quoted(offerText(value))} ;;`];
      }),
    )
    .join('\n');

const slotCases = (shapes: readonly CommandShape[]): string =>
  shapes
    .flatMap(({ name, operands }) =>
      operands.map(
        (offer, slot) => `      ${quoted(`${name} ${slot}`)}) offer=${quoted(offerText(offer))} ;;`,
      ),
    )
    .join('\n');
