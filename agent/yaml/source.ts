// A YAML (or JSON) file that a person wrote: read whole, bounded, with the place of every value kept
// so that a problem can be shown as file:line:column. It judges syntax only; schemas judge the rest.
import { readFile } from 'node:fs/promises';
import { isMap, isScalar, LineCounter, parseAllDocuments, type Document, type Node } from 'yaml';
import { messageOf } from '#agent/base/errors.ts';

/** Keys and indices from the top of a document to one value. */
export type Path = readonly PropertyKey[];

/** One thing wrong with what a person wrote. */
export interface Problem {
  /** `file:line:column`, an environment variable or a flag. */
  readonly at: string;
  /** Dotted path of the value; empty for the document as a whole. */
  readonly path: string;
  /** What is there and what is expected. */
  readonly text: string;
}

export interface YamlDocument {
  readonly value: unknown;
  /** `file:line:column` of the value at `path`, or of the nearest ancestor that exists. */
  at(path: Path): string;
  /** The same for the key under which the value at `path` stands. */
  atKey(path: Path): string;
}

export type YamlSource =
  | { readonly documents: readonly YamlDocument[] }
  | {
      readonly problems: readonly Problem[];
      /** There was nothing to judge. */ readonly isUnread?: true;
    };

const MAX_FILE_BYTES = 1 << 20;
const MAX_ALIASES = 100;

/** Reads `file`, called `name` in problems; whatever is wrong with it (missing, too large, not YAML) comes back as problems. */
export async function readYaml(file: string, name = file): Promise<YamlSource> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (cause) {
    const text = `cannot be read: ${messageOf(cause)}`;
    return { problems: [{ at: name, path: '', text }], isUnread: true };
  }
  if (bytes.length > MAX_FILE_BYTES) {
    const text = `has ${bytes.length} bytes; at most ${MAX_FILE_BYTES} are read`;
    return { problems: [{ at: name, path: '', text }] };
  }
  return parseYaml(name, bytes.toString());
}

/** The documents of `text`, which came from `file`; an empty text has none. */
export function parseYaml(file: string, text: string): YamlSource {
  const lines = new LineCounter();
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  try {
    const parsed = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
    const documents = Array.isArray(parsed) ? parsed : [];
    const problems = documents.flatMap((doc) =>
      [...doc.errors, ...doc.warnings].map((e) => ({
        at: place(e.pos[0]),
        path: '',
        text: e.message,
      })),
    );
    if (problems.length > 0) return { problems };
    return { documents: documents.map((doc) => located(doc, place)) };
  } catch (cause) {
    // Too many aliases or too deep a nesting: the parser gives up by throwing.
    return { problems: [{ at: file, path: '', text: `is not usable YAML: ${messageOf(cause)}` }] };
  }
}

function located(doc: Document.Parsed, place: (offset: number) => string): YamlDocument {
  const value: unknown = doc.toJS({ maxAliasCount: MAX_ALIASES });
  const offsetOf = (path: Path): number => {
    for (let depth = path.length; depth > 0; depth -= 1) {
      const node = doc.getIn(path.slice(0, depth), true) as Node | undefined;
      if (node?.range) return node.range[0];
    }
    return doc.contents?.range[0] ?? doc.range[0];
  };
  return {
    value,
    at: (path) => place(offsetOf(path)),
    atKey: (path) => {
      const parent = path.length === 1 ? doc.contents : doc.getIn(path.slice(0, -1), true);
      const pair = isMap(parent)
        ? parent.items.find((item) => isScalar(item.key) && String(item.key.value) === path.at(-1))
        : undefined;
      const key = pair?.key;
      return place(isScalar(key) && key.range ? key.range[0] : offsetOf(path));
    },
  };
}
