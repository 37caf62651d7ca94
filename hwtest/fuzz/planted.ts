// Targets with planted faults, by which the test of the driver knows that it finds them.
import { malformed } from '#attest/cursor.ts';
import type { Target } from './target.ts';

const base = { weight: 1, believes: false, samples: () => [Buffer.from('LENGTH 0001 and more')] };

/** Exported under the name that every module of targets has. */
export const TARGETS: readonly Target[] = [
  {
    ...base,
    name: 'sound',
    feed: (bytes) => {
      if (bytes.length < 4) throw malformed('planted', 'too short');
      return undefined;
    },
  },
  {
    ...base,
    name: 'throws',
    feed: (bytes) => {
      if (bytes.includes(0xff)) throw new RangeError('a planted fault');
      return undefined;
    },
  },
  {
    ...base,
    name: 'hangs',
    feed: (bytes) => {
      while (bytes.includes(0xff)) continue;
      return undefined;
    },
  },
  {
    ...base,
    name: 'throws deep inside',
    feed: (bytes) => {
      if (bytes[0] !== 0x4d) return undefined; // each one bit away from the sample
      if (bytes[5] !== 0x49) return undefined;
      if (bytes[9] !== 0x31) return undefined;
      throw new RangeError('a planted fault');
    },
  },
  { ...base, name: 'believes', feed: (bytes) => bytes.toString('latin1', 0, 6) },
  {
    ...base,
    name: 'exhausts memory',
    feed: (bytes) => {
      const hoard: number[][] = [];
      while (bytes.includes(0xff)) hoard.push(Array.from({ length: 10_000 }, (_, at) => at));
      return undefined;
    },
  },
];
