// What the figures of a bench without network namespaces were measured on, in words.
import { cpus, loadavg, release } from 'node:os';

export type HostFacts = Readonly<Record<string, string>>;

export const hostFacts = (): HostFacts => ({
  processor: `${cpus()[0]?.model ?? 'unknown'}, ${cpus().length} cores`,
  kernel: release(),
  node: process.version,
  'load average before': loadavg()[0]?.toFixed(1) ?? '',
});
