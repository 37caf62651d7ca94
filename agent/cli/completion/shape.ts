// What a shell must know of the command line to complete it, read off the verbs themselves: their words,
// their flags, and what stands in each place. There is no second list to keep in step.
import { COMMON_FLAGS } from '#agent/cli/arguments.ts';
import type { Flag, Flags, Verb } from '#agent/cli/verb.ts';
import type { VerbEntry } from '#agent/cli/verbs.ts';

/** What may stand in one place. `pods`: names of this node's pods; `any`: nothing can be offered. */
export type Offer =
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'files' }
  | { readonly kind: 'pods' }
  | { readonly kind: 'any' };

export interface FlagShape {
  /** `--output`, `-o`. */
  readonly forms: readonly string[];
  readonly name: string;
  readonly short?: string | undefined;
  readonly help: string;
  /** Absent for a flag without a value. */
  readonly value?: Offer | undefined;
}

export interface CommandShape {
  /** `status`, `agent run`. */
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly FlagShape[];
  /** What each operand may be, in order. */
  readonly operands: readonly Offer[];
}

/** The shape of every verb; loads all of them. */
export async function shapesOf(verbs: readonly VerbEntry[]): Promise<readonly CommandShape[]> {
  return Promise.all(
    verbs.map(async (entry) => {
      const { name, summary } = entry;
      const verb = await entry.load();
      return verb.call((loaded) => ({
        name,
        summary,
        flags: flagShapes({ ...loaded.flags, ...COMMON_FLAGS }),
        operands: operandOffers(loaded),
      }));
    }),
  );
}

const flagShapes = (flags: Flags): FlagShape[] =>
  Object.entries(flags).map(([name, flag]) => ({
    forms: [`--${name}`, ...(flag.short === undefined ? [] : [`-${flag.short}`])],
    name,
    short: flag.short,
    help: flag.help,
    value: flag.type === 'boolean' ? undefined : offerOf(flag),
  }));

const offerOf = ({ value = '' }: Flag): Offer => offered(value);

/** `<pod> [to <pod>[:port]]` is three places: a pod, the word `to`, a pod. */
const operandOffers = <F extends Flags>({ operands }: Verb<F>): Offer[] =>
  (operands?.form ?? '').split(' ').filter(Boolean).map(operandOffer);

function operandOffer(place: string): Offer {
  const bare = place.replace(/\[:port\]|[[\]]/g, '');
  const isName = bare.startsWith('<');
  const word = bare.replace(/[<>]/g, '');
  return isName || word.includes('|') || !/^[a-z]+$/.test(word)
    ? offered(word)
    : { kind: 'words', words: [word] };
}

/** By what stands for the value: every value there is, a file, a pod. */
function offered(value: string): Offer {
  if (/^[\w-]+(\|[\w-]+)+$/.test(value)) return { kind: 'words', words: value.split('|') };
  if (/^(file|dir|path)$/i.test(value)) return { kind: 'files' };
  if (/^(pod|namespace\/name)$/i.test(value)) return { kind: 'pods' };
  return { kind: 'any' };
}

/** Words that stand first; a family of verbs stands there once. */
export const firstWords = (shapes: readonly CommandShape[]): string[] => [
  ...new Set(shapes.map(({ name }) => wordsOf(name)[0])),
  'help',
];

/** Second words after `first`. */
export const secondWords = (shapes: readonly CommandShape[], first: string): string[] =>
  shapes.flatMap(({ name }) => {
    const [word, second] = wordsOf(name);
    return word === first && second !== undefined ? [second] : [];
  });

const wordsOf = (name: string): [first: string, second?: string] => {
  const [first = '', second] = name.split(' ');
  return second === undefined ? [first] : [first, second];
};

/** First words of verbs that have two. */
export const families = (shapes: readonly CommandShape[]): string[] =>
  firstWords(shapes).filter((word) => secondWords(shapes, word).length > 0);

/** `text` between single quotes, for bash and zsh. */
export const quoted = (text: string): string => `'${text.replace(/'/g, "'\\''")}'`;
