// Numbers of things in messages.

/** `1 boot`, `3 boots`. */
export const counted = (count: number, noun: string): string =>
  `${count} ${noun}${count === 1 ? '' : 's'}`;
