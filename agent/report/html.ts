// HTML as a type: text becomes markup only through `safe`, which escapes every value that is not markup
// already. Nothing else in this folder builds tags.

/** Markup that is safe to put into a page. */
export interface Html {
  readonly markup: string;
}

type Value = string | number | Html | readonly Html[];

/**
 * A template whose values are escaped; lists of markup are joined. Values may stand between tags and in
 * quoted attributes, nowhere else.
 */
export const safe = (texts: TemplateStringsArray, ...values: readonly Value[]): Html => ({
  markup: texts
    .map((text, i) => text + (i < values.length ? markupOf(values[i] ?? '') : ''))
    .join(''),
});

const markupOf = (value: Value): string => {
  if (typeof value === 'string' || typeof value === 'number') return escaped(String(value));
  return 'markup' in value ? value.markup : value.map(({ markup }) => markup).join('');
};

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
};

/**
 * Text for HTML. Control and format characters become U+FFFD: the bidirectional ones could show a reader
 * other words than are there (CVE-2021-42574).
 */
const escaped = (text: string): string =>
  text
    .toWellFormed()
    .replace(/(?![\t\n])[\p{Control}\p{Format}]/gu, '\u{fffd}')
    .replace(/[&<>"'`]/g, (character) => ENTITIES[character] ?? '');
