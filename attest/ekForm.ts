// Where a certificate departs from DER (X.690 10 and 11). Some makers of TPMs write such certificates, and
// their signatures cover exactly those bytes: it is said, and nothing is ever rewritten.
import { derChildren, derElement, type DerElement } from './der.ts';
import { extensionsOf } from '#attest/x509/extension.ts';

const WHAT = 'EK certificate';
const MAX_DEPTH = 24;
const CONSTRUCTED = 0x20;
const BOOLEAN = 0x01;
const INTEGER = 0x02;
const SET_OF = 0x31;

/** Departures in words, each once; empty for a certificate in DER. Errors: EVIDENCE_MALFORMED. */
export function departuresFromDer(certificate: Buffer): string[] {
  const found = new Set<string>();
  look(derElement(certificate, WHAT), 0, found);
  for (const value of extensionsOf(certificate).values()) lookInside(value, found);
  return [...found];
}

/** An extension may hold anything (RFC 5280 4.2 wants DER): AMD writes the bare number of a chip. */
function lookInside(value: Buffer, found: Set<string>): void {
  try {
    look(derElement(value, WHAT), 0, found);
  } catch {
    found.add('an extension that holds no DER');
  }
}

function look(element: DerElement, depth: number, found: Set<string>): void {
  const { tag, content } = element;
  if (!hasShortestLength(element)) found.add('a length in more octets than needed');
  if (tag === BOOLEAN && content[0] !== 0 && content[0] !== 0xff)
    found.add('a BOOLEAN not 00 or ff');
  if (tag === INTEGER && isPadded(content)) found.add('an INTEGER in more octets than needed');
  if ((tag & CONSTRUCTED) === 0) return;
  if (depth === MAX_DEPTH) {
    found.add(`more than ${MAX_DEPTH} levels`);
    return;
  }
  const children = derChildren(element, WHAT);
  if (tag === SET_OF && !isSorted(children)) found.add('an unsorted SET');
  for (const child of children) look(child, depth + 1, found);
}

/** X.690 10.1. */
function hasShortestLength({ content, raw }: DerElement): boolean {
  const lengthOctets = raw.length - content.length - 1;
  if (content.length < 0x80) return lengthOctets === 1;
  return lengthOctets === 1 + Math.ceil((32 - Math.clz32(content.length)) / 8);
}

/** X.690 8.3.2: the first nine bits are neither all ones nor all zero. */
const isPadded = ([first = 0, second]: Buffer): boolean =>
  second !== undefined && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80));

/** X.690 11.6: the elements of a SET OF stand in the order of their encodings. */
const isSorted = (elements: readonly DerElement[]): boolean =>
  elements.every(({ raw }, i) => i === 0 || Buffer.compare(elements[i - 1]?.raw ?? raw, raw) <= 0);
