// The figures of the bench by name: how each is shown, and which way is better. What a measurement hands
// back has these keys; nothing is measured here.

interface Figure {
  readonly label: string;
  readonly unit: string;
  readonly digits: number;
  readonly better: 'high' | 'low';
}

const high = (label: string, unit: string, digits: number): Figure => ({
  label,
  unit,
  digits,
  better: 'high',
});
const low = (label: string, unit: string, digits: number): Figure => ({
  label,
  unit,
  digits,
  better: 'low',
});

export const FIGURES = {
  bulk1: high('bulk, 1 flow', 'Gbit/s', 1),
  bulk8: high('bulk, 8 flows', 'Gbit/s', 1),
  bulk32: high('bulk, 32 flows', 'Gbit/s', 1),
  reverse1: high('bulk to the client, 1 flow', 'Gbit/s', 1),
  reverse8: high('bulk to the client, 8 flows', 'Gbit/s', 1),
  bare1: high('bulk without offloads, 1 flow', 'Gbit/s', 1),
  bare8: high('bulk without offloads, 8 flows', 'Gbit/s', 1),
  connections: high('new connections', '/s', 0),
  rttP50: low('1 KiB round trip, p50', 'µs', 0),
  rttP99: low('1 KiB round trip, p99', 'µs', 0),
  rttAddedP50: low('1 KiB round trip, added to direct, p50', 'µs', 0),
  rttAddedP99: low('1 KiB round trip, added to direct, p99', 'µs', 0),
  pacedP50: low('1 KiB, 1,000 a second, p50', 'µs', 0),
  pacedP99: low('1 KiB, 1,000 a second, p99', 'µs', 0),
  pacedAddedP50: low('1 KiB, 1,000 a second, added to direct, p50', 'µs', 0),
  pacedAddedP99: low('1 KiB, 1,000 a second, added to direct, p99', 'µs', 0),
  requests32: high('requests, 32 connections', '/s', 0),
  requests32P99: low('requests, 32 connections, p99', 'µs', 0),
  requests128: high('requests, 128 connections', '/s', 0),
  requests128P99: low('requests, 128 connections, p99', 'µs', 0),
  cpu1: low('CPU, 1 flow', 's/Gbit', 3),
  cpu8: low('CPU, 8 flows', 's/Gbit', 3),
  cpu32: low('CPU, 32 flows', 's/Gbit', 3),
  cpuConnection: low('CPU, a new connection', 'µs', 0),
  memoryIdle: low('memory of the pair, idle', 'MiB', 0),
  memory1000: low('memory of the pair, 1,000 idle', 'MiB', 0),
  memory8000: low('memory of the pair, 8,000 idle', 'MiB', 0),
  memoryBeside: low('control planes beside them', 'MiB', 0),
  perLane: low('memory per idle connection and node', 'KiB', 1),
  kernelLane: low('kernel memory per idle connection', 'KiB', 1),
  cipherBulk: high('bulk, 1 flow, by cipher', 'Gbit/s', 1),
  cipherP50: low('1 KiB round trip, by cipher, p50', 'µs', 0),
  cipherP99: low('1 KiB round trip, by cipher, p99', 'µs', 0),
  rotationP50: low('requests under rotation, p50', 'µs', 0),
  rotationP999: low('requests under rotation, p99.9', 'µs', 0),
  rotationErrors: low('requests under rotation that failed', '', 0),
  rotations: high('rotations', '', 0),
} as const satisfies Readonly<Record<string, Figure>>;

export type FigureName = keyof typeof FIGURES;
export const FIGURE_NAMES = Object.keys(FIGURES) as FigureName[];

/** Figures that are another one less that of direct in the same run. */
export const ADDED: Partial<Readonly<Record<FigureName, FigureName>>> = {
  rttP50: 'rttAddedP50',
  rttP99: 'rttAddedP99',
  pacedP50: 'pacedAddedP50',
  pacedP99: 'pacedAddedP99',
};

/** What one measurement of one subject gives. */
export type Values = Partial<Readonly<Record<FigureName, number>>>;
