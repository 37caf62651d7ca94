// Text of an outsider inside a text of ours: short, on one line, and steering no terminal.

/** At most `max` characters of `text`, control characters replaced. */
export const printable = (text: string, max = 120): string =>
  text.slice(0, max).replaceAll(/[\p{Control}\p{Zl}\p{Zp}]/gu, '?');
