// Claims as text, for a person: an object a line for each of its members, long lists and values cut.
// `-o json` has everything; nothing here decides what a claim is.

/** An SGX TCB has 16 components. */
const MAX_LISTED = 16;
/** A SHA-512 in hex has 128. */
const MAX_CHARACTERS = 160;

/** The lines of all claims, or none. */
export const claimLines = (claims: Readonly<Record<string, unknown>>): string[] =>
  Object.entries(claims).flatMap(([name, value]) =>
    isRecord(value)
      ? [`  ${name}`, ...Object.entries(value).map(([key, each]) => `    ${key}: ${short(each)}`)]
      : [`  ${name}: ${short(value)}`],
  );

const isRecord = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function short(value: unknown): string {
  if (!Array.isArray(value)) return cut(plain(value));
  if (value.length === 0) return 'none';
  const listed = value.slice(0, MAX_LISTED).map((each) => cut(plain(each)));
  const more = value.length - listed.length;
  return [...listed, ...(more > 0 ? [`and ${more} more`] : [])].join(', ');
}

const plain = (value: unknown): string =>
  typeof value === 'string' ? value : JSON.stringify(value);

const cut = (text: string): string =>
  text.length > MAX_CHARACTERS
    ? `${text.slice(0, MAX_CHARACTERS)}... (${text.length} characters)`
    : text;
