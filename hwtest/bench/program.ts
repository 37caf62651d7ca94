// The name of the program whose verbs stand beside this file. No verb of its own.

/** How it is called. */
export const PROGRAM = 'npm run bench --';
