// The lanes that a bench starts: those that verdicts are about, and others that differ from them in one
// thing each.
import { resolve } from 'node:path';
import type { LanesPlan } from './lanesBed.ts';
import { LONG_PERIOD_MS, SHORT_PERIOD_MS } from './rotation.ts';
import { STEADY } from './verdicts.ts';

/** What is compared with proxies. */
export const LANES: LanesPlan = {
  name: 'tidelock',
  label: 'tidelock lanes',
  kind: 'lanes',
  aead: 'AES-256-GCM',
  periodMs: SHORT_PERIOD_MS,
};

const variant = (name: string, label: string, change: Partial<LanesPlan>): LanesPlan => ({
  ...LANES,
  kind: 'variant',
  name,
  label,
  ...change,
});

export const CIPHER_VARIANTS: readonly LanesPlan[] = [
  variant('tidelock-chacha', 'lanes, ChaCha20-Poly1305', { aead: 'ChaCha20-Poly1305' }),
  variant('tidelock-siv', 'lanes, AES-256-GCM-SIV', { aead: 'AES-256-GCM-SIV' }),
];

export const ROTATION_VARIANTS: readonly LanesPlan[] = [
  variant(STEADY, `lanes, a key for ${LONG_PERIOD_MS / 1000} s`, { periodMs: LONG_PERIOD_MS }),
];

/** The same lanes by the code in `dir`, a path of whoever called. */
export const lanesOfCheckout = (dir: string): LanesPlan =>
  variant(`tidelock@${dir}`, `lanes of ${dir}`, {
    program: [process.execPath, resolve(dir, 'agent/main.ts')],
  });
