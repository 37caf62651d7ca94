// The names of the peers in use, kept over a restart: those that use this node go on opening lanes to it, which it
// could not follow if it had to be told of each again.
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { NodeName } from '#agent/base/brands.ts';
import { asTidelockError } from '#agent/base/errors.ts';
import { nodeName } from '#agent/base/schema.ts';
import type { Log } from '#agent/log.ts';
import { replaceFile } from '#agent/replaceFile.ts';
import { MAX_IN_USE } from './peersInUse.ts';

const schema = z.strictObject({ v: z.literal(1), peers: z.array(nodeName).max(MAX_IN_USE) });

export class PeersFile {
  readonly #path: string;
  readonly #log: Log;
  #kept = '';

  constructor(path: string, log: Log) {
    this.#path = path;
    this.#log = log;
  }

  /** Those that were kept; none where the file is gone or makes no sense, which costs a question each. */
  async read(): Promise<readonly NodeName[]> {
    try {
      this.#kept = await readFile(this.#path, 'utf8');
      return schema.parse(JSON.parse(this.#kept)).peers;
    } catch {
      return [];
    }
  }

  /** Keeps these, if they are others than before. */
  async keep(peers: readonly NodeName[]): Promise<void> {
    const text = `${JSON.stringify({ v: 1, peers: peers.toSorted() })}\n`;
    if (text === this.#kept) return;
    this.#kept = text;
    try {
      await replaceFile(this.#path, text);
    } catch (thrown) {
      this.#log.warn('peers.unkept', { error: asTidelockError(thrown, 'peers.keep') });
    }
  }
}
