// The files of test vectors as PROTOCOL 13 describes them, and the inputs of one vector by name and
// kind. It computes nothing.
import { readdirSync, readFileSync } from 'node:fs';
import { unhex } from './bytes.ts';

/** What JSON can say. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
/** An object of JSON. */
export interface JsonObject {
  readonly [name: string]: Json;
}

/** One vector: `expect` must come of `given`, or what is given is refused by that section, or both. */
export interface Vector {
  readonly name: string;
  readonly compute: string;
  readonly given: JsonObject;
  readonly expect?: JsonObject;
  readonly refused?: string;
}

/** How a row of the table in PROTOCOL 13 is computed. `offered`, what the vector expects, serves only to
 * verify in it what cannot be made again. Throws Refused. */
export type Row = (given: Given, offered: JsonObject) => JsonObject;

/** Rows by their name in the column `compute`. */
export type Rows = Readonly<Record<string, Row>>;

const FOLDER = new URL('../../proxy/vectors/', import.meta.url);

/** The names of all files of vectors. */
export const vectorFiles: readonly string[] = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.json'))
  .toSorted();

/** The text of a file of vectors. */
export const vectorText = (file: string): string => readFileSync(new URL(file, FOLDER), 'utf8');

/** The vectors of a file. */
export function readVectors(file: string): readonly Vector[] {
  const parsed: { protocol: number; vectors: readonly Vector[] } = JSON.parse(vectorText(file));
  if (parsed.protocol !== 1) throw new Error(`${file} is of protocol ${parsed.protocol}`);
  return parsed.vectors;
}

/** Whether JSON is an object. */
export const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The inputs of a vector. A missing one, or one of another kind, throws TypeError. */
export class Given {
  readonly values: JsonObject;

  constructor(values: JsonObject) {
    this.values = values;
  }

  has(name: string): boolean {
    return name in this.values;
  }

  json(name: string): Json {
    const value = this.values[name];
    return value === undefined ? wrong(name, 'missing') : value;
  }

  text(name: string): string {
    const value = this.json(name);
    return typeof value === 'string' ? value : wrong(name, 'no text');
  }

  /** The bytes that a string of hex stands for. */
  bytes(name: string): Uint8Array {
    return unhex(this.text(name));
  }

  number(name: string): number {
    const value = this.json(name);
    return typeof value === 'number' ? value : wrong(name, 'no number');
  }

  object(name: string): Given {
    const value = this.json(name);
    return isObject(value) ? new Given(value) : wrong(name, 'no object');
  }

  list(name: string): readonly Json[] {
    const value = this.json(name);
    return Array.isArray(value) ? value : wrong(name, 'no list');
  }

  /** A list of texts. */
  texts(name: string): readonly string[] {
    return this.list(name).map((value) =>
      typeof value === 'string' ? value : wrong(name, 'no list of texts'),
    );
  }

  /** A list of objects. */
  objects(name: string): readonly Given[] {
    return this.list(name).map((value) =>
      isObject(value) ? new Given(value) : wrong(name, 'no list of objects'),
    );
  }
}

function wrong(name: string, state: string): never {
  throw new TypeError(`${name} of a vector: ${state}`);
}
