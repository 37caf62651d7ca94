// Changes a JSON document as a document: a value becomes another, a member goes, comes twice or changes
// places. Bytes alone would hardly ever get past the parser of JSON.
import type { Random } from './random.ts';

/** Values that schemas and arithmetic trip over. */
const ODD: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  2 ** 53,
  1e308,
  '',
  '\0',
  'a'.repeat(300),
  '\ud800',
  '__proto__',
  '2026-13-40T99:99:99Z',
  '9999-12-31T23:59:59Z',
  '00',
  'AAAA',
  [],
  {},
  [[]],
];

type Container = unknown[] | Record<string, unknown>;

/** The document with one to three changes; undefined where `bytes` are no JSON object or array. */
export function mutateJson(random: Random, bytes: Buffer): Buffer | undefined {
  const document = containerIn(bytes);
  if (document === undefined) return undefined;
  for (let edits = 1 + random.below(3); edits > 0; edits -= 1) {
    edit(random, random.pick(containersOf(document)));
  }
  return Buffer.from(JSON.stringify(document));
}

function containerIn(bytes: Buffer): Container | undefined {
  if (bytes[0] !== 0x7b && bytes[0] !== 0x5b) return undefined;
  try {
    return JSON.parse(bytes.toString()) as Container;
  } catch {
    return undefined;
  }
}

const isContainer = (value: unknown): value is Container =>
  typeof value === 'object' && value !== null;

/** The document and everything in it that holds something. */
const containersOf = (container: Container): Container[] => [
  container,
  ...Object.values(container).filter(isContainer).flatMap(containersOf),
];

function edit(random: Random, container: Container): void {
  const holder = container as Record<string, unknown>; // an array has its indices for names
  const names = Object.keys(holder);
  if (names.length === 0) return;
  const [name, other] = [random.pick(names), random.pick(names)];
  switch (random.below(5)) {
    case 0:
      delete holder[name];
      break;
    case 1:
      holder[Array.isArray(container) ? String(names.length) : `${name}x`] = holder[other];
      break;
    case 2:
      [holder[name], holder[other]] = [holder[other], holder[name]];
      break;
    case 3:
      holder[name] = changed(random, holder[name]);
      break;
    default:
      holder[name] = structuredClone(random.pick(ODD));
  }
}

/** A value like the old one. */
function changed(random: Random, value: unknown): unknown {
  if (typeof value === 'number') return value + random.pick([-1, 1, 2 ** 31, -(2 ** 31), 0.5]);
  if (typeof value !== 'string' || value === '') return random.pick(ODD);
  const at = random.below(value.length);
  const end = at + 1 + random.below(8);
  return random.pick([
    value.slice(0, at),
    value.slice(0, at) + value.slice(end),
    value.slice(0, end) + value.slice(at),
    value.slice(0, at) + random.pick(['0', 'f', 'A', '-', '"', ' ']) + value.slice(at + 1),
  ]);
}
