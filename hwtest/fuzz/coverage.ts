// Which code of ours has run, by V8's block coverage: what makes a mutated input worth keeping. It costs
// about a millisecond a look, so it looks once per batch.
import { Session, type Profiler } from 'node:inspector';

/** Folders whose code counts: that of the fuzzer itself runs otherwise each time. */
const OURS = /\/(?:attest|agent\/base)\/|\/hwtest\/fuzz\/planted\.ts$/;

/** Offsets into the source of each script, by URL. */
export type News = Map<string, Set<number>>;

export class Coverage {
  readonly #session = new Session();
  /** One byte per character of each script; 1 where it has run. */
  readonly #seen = new Map<string, Uint8Array>();

  constructor() {
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** What has run since the last look and never before. It is known from now on. */
  news(): News {
    const news: News = new Map();
    for (const [url, at] of this.#look()) {
      const seen = this.#seenOf(url, at);
      if (seen[at] === 1) continue;
      seen[at] = 1;
      const offsets = news.get(url) ?? new Set();
      news.set(url, offsets.add(at));
    }
    return news;
  }

  /** Whether anything of `news` has run since the last look; what has is taken out of it. */
  explains(news: News): boolean {
    let explained = false;
    for (const [url, at] of this.#look()) {
      const offsets = news.get(url);
      if (offsets?.delete(at) !== true) continue;
      if (offsets.size === 0) news.delete(url);
      explained = true;
    }
    return explained;
  }

  #take(): readonly Profiler.ScriptCoverage[] {
    let taken: readonly Profiler.ScriptCoverage[] = [];
    this.#session.post('Profiler.takePreciseCoverage', (error, answer) => {
      if (error !== null) throw error;
      taken = answer.result;
    });
    return taken;
  }

  *#look(): Generator<readonly [url: string, offset: number]> {
    for (const { url, functions } of this.#take()) {
      if (!OURS.test(url)) continue;
      for (const at of offsetsOf(functions)) yield [url, at];
    }
  }

  #seenOf(url: string, at: number): Uint8Array {
    const before = this.#seen.get(url);
    if (before !== undefined && at < before.length) return before;
    const larger = new Uint8Array(2 * (at + 1));
    if (before !== undefined) larger.set(before);
    this.#seen.set(url, larger);
    return larger;
  }
}

/**
 * Offsets that ran. Functions and their ranges come from the outside in, so that the innermost has the
 * last word: the code of a module spans that of its functions, whether they were called or not.
 */
function offsetsOf(functions: readonly Profiler.FunctionCoverage[]): number[] {
  const ranges = functions.flatMap((each) => each.ranges);
  const base = Math.min(...ranges.map(({ startOffset }) => startOffset));
  const ran = new Uint8Array(Math.max(...ranges.map(({ endOffset }) => endOffset)) - base);
  for (const { startOffset, endOffset, count } of ranges) {
    ran.fill(count > 0 ? 1 : 0, startOffset - base, endOffset - base);
  }
  const offsets: number[] = [];
  for (let at = 0; at < ran.length; at += 1) if (ran[at] === 1) offsets.push(base + at);
  return offsets;
}
