// Latencies of any number of requests in a fixed amount of memory: a histogram of buckets that each
// span 2 percent, which is also the error of a percentile.

const SMALLEST_MS = 0.01;
const GROWTH = 1.02;
const BUCKETS = 1_000; // up to 0.01 ms * 1.02^999, more than an hour

export interface Latencies {
  readonly count: number;
  add(ms: number): void;
  /** Milliseconds that the fraction `q` of all requests did not exceed; 0 without requests. */
  percentile(q: number): number;
}

export function createLatencies(): Latencies {
  const counts = new Uint32Array(BUCKETS);
  let count = 0;
  return {
    get count() {
      return count;
    },
    add: (ms) => {
      const bucket = Math.ceil(
        Math.log(Math.max(ms, SMALLEST_MS) / SMALLEST_MS) / Math.log(GROWTH),
      );
      const index = Math.min(BUCKETS - 1, bucket);
      counts[index] = (counts[index] ?? 0) + 1;
      count += 1;
    },
    percentile: (q) => {
      let left = Math.ceil(q * count);
      if (left === 0) return 0;
      const index = counts.findIndex((n) => (left -= n) <= 0);
      return SMALLEST_MS * GROWTH ** index;
    },
  };
}
