// The name of the program whose verbs stand beside this file, and how a run of one is called. No verb of its own.

/** How it is called. */
export const PROGRAM = 'npm run bench --';

/** What a flag may have. */
type Given = string | boolean | readonly string[] | undefined;

/** The command line of a verb, but for what is printed and written where: that changes no figure. */
export function commandOf(verb: string, flags: Readonly<Record<string, Given>>): string {
  const given = Object.entries(flags).flatMap(([name, value]) => {
    if (name === 'out' || value === undefined || value === false) return [];
    if (value === true) return [`--${name}`];
    const text = typeof value === 'string' ? value : value.join(',');
    return text === '' ? [] : [`--${name} ${text}`];
  });
  return [PROGRAM, verb, ...given].join(' ');
}
