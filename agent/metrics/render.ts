// A scrape: the families with the values of one moment, in the text format of Prometheus (exposition
// format 0.0.4). A registry lives for one scrape: the values are kept elsewhere.
import { Counter, Gauge, Registry } from 'prom-client';
import { FAMILIES, type Family, type Sample } from './families.ts';

/** Media type of `renderMetrics`. */
export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** The text of all families. */
export function renderMetrics(sample: Sample): Promise<string> {
  const registry = new Registry();
  for (const family of FAMILIES) put(registry, family, sample);
  return registry.metrics();
}

function put(
  registry: Registry,
  { name, type, help, label, values }: Family,
  sample: Sample,
): void {
  const value = values(sample);
  const labelNames = label === undefined ? [] : [label];
  const options = { name, help, labelNames, registers: [registry] };
  const metric = type === 'counter' ? new Counter(options) : new Gauge(options);
  if (typeof value !== 'object') {
    if (value === undefined) registry.removeSingleMetric(name);
    else metric.inc(value);
    return;
  }
  for (const [at, n] of Object.entries(value)) {
    if (n !== undefined) metric.inc({ [label ?? '']: at }, n);
  }
}
