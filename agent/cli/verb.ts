// What a verb is: a name, its flags, an example, and a function from arguments to an exit code. One
// file of this folder holds one verb; verbs.ts lists them.
import type { ExitCode } from '#agent/base/codes.ts';
import type { Terminal } from './terminal.ts';

/** A flag that takes a value, takes none, or may be given several times with a value each. */
export interface Flag {
  readonly type: 'string' | 'boolean' | 'strings';
  readonly short?: string;
  /** What stands for the value in the help: `FILE`, or every value there is: `text|json`. */
  readonly value?: string;
  readonly required?: boolean;
  /** An empty value says something too, as of bytes in hex. */
  readonly mayBeEmpty?: boolean;
  readonly help: string;
}

export type Flags = Readonly<Record<string, Flag>>;

/** The parsed value of each flag of `F`, by name. */
export type FlagValues<F extends Flags> = {
  readonly [K in keyof F]: F[K]['type'] extends 'boolean'
    ? boolean
    : F[K]['type'] extends 'strings'
      ? readonly string[]
      : F[K]['required'] extends true
        ? string
        : string | undefined;
};

/** The words a verb takes besides its flags. */
export interface Operands {
  /** As shown in the help: `<file>`, `<pod> [to <pod>[:port]]`. */
  readonly form: string;
  readonly min: number;
  readonly max: number;
}

export type OutputForm = 'text' | 'json';

/** What a verb is run with. Every verb takes `-o json|text` besides its own flags. */
export interface Invocation<F extends Flags> {
  readonly flags: FlagValues<F>;
  /** As many as the verb's `operands` allow; none where it has none. */
  readonly operands: readonly string[];
  readonly output: OutputForm;
  readonly terminal: Terminal;
}

export interface Verb<F extends Flags = Flags> {
  /** One or two words: `status`, `agent run`. */
  readonly name: string;
  readonly flags: F;
  /** Absent: it takes flags alone. */
  readonly operands?: Operands;
  /** What it does and what it changes, one or two sentences. */
  readonly about: string;
  readonly example: string;
  /** Errors: any TidelockError; the command line prints it and takes its exit code. */
  run(invocation: Invocation<F>): Promise<ExitCode>;
}

/** Keeps the type of the flags, so that `run` sees each by its name. */
export const defineVerb = <const F extends Flags>(verb: Verb<F>): Verb<F> => verb;
