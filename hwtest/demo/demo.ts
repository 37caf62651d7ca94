// `tidelock demo`: a two-node cluster on one machine, end to end. It builds the rig, proves that a
// capture would find plain text, starts the agents, lets real programs talk, and tells what held.
// Everything it makes is gone when it returns, but for the reports.
import { EXIT, type ExitCode } from '#agent/base/codes.ts';
import { cleanLeftovers, leftovers, totalOf } from '#hwtest/rig/leftovers.ts';
import { requirePreflight, requireRoot } from '#hwtest/rig/preflight.ts';
import { createRig } from '#hwtest/rig/rig.ts';
import { perform, type Stage } from './acts.ts';
import { endWithLauncher } from './launcher.ts';
import { CLUSTER, NODES, PODS } from './plan.ts';
import { openReports } from './reports.ts';
import { demoResult, type DemoCleaned, type DemoResult, type Observed } from './result.ts';
import type { Screen } from './view.ts';

export interface DemoOptions {
  /** Ends by itself after so long; without it, on `stop`. */
  readonly forMs: number | undefined;
  /** Where the reports go; absolute. */
  readonly outDir: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Progress and the live view. */
  readonly screen: Screen;
  readonly stop: AbortSignal;
}

/**
 * Runs the demo to its end.
 * Errors: ROOT_REQUIRED, RIG_PREREQUISITE, RIG_PROGRAM, FILE_UNWRITABLE, DEMO_INTERRUPTED before there is a result.
 */
export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const say = (line: string): void => options.screen.write(`${line}\n`);
  const ending = new AbortController();
  options.stop.addEventListener('abort', () => ending.abort(), { once: true });
  if (options.stop.aborted) ending.abort();
  const stopLooking = endWithLauncher(options.env, ending);
  try {
    await requirePreflight(); // again in createRig, but here before anything is changed
    const reports = openReports(options.outDir);
    for (const id of await cleanLeftovers()) say(`removed what an earlier demo left (${id})`);
    say('building two nodes on this machine');
    const { id, observed } = await inRig({ ...options, reports, say, ended: ending.signal });
    const result = demoResult({ ...observed, leftovers: totalOf(await leftovers(id)) });
    reports.result(result);
    return result;
  } finally {
    stopLooking();
  }
}

/** Whatever the demo ends with, the agents' logs are kept and the rig is gone when this returns. */
async function inRig(
  stage: Stage,
): Promise<{ readonly id: string; readonly observed: Omit<Observed, 'leftovers'> }> {
  const { say, reports } = stage;
  await using rig = await createRig({
    cluster: CLUSTER,
    nodes: NODES,
    pods: PODS,
    log: (line) => say(`  ${line}`),
  });
  try {
    return { id: rig.id, observed: await perform(rig, stage) };
  } finally {
    say('removing everything');
    reports.logs(rig.nodes);
  }
}

/** `tidelock demo --clean`: removes what killed demos left, counts what stays. Errors: ROOT_REQUIRED. */
export async function cleanDemo(): Promise<DemoCleaned> {
  requireRoot();
  const removed = await cleanLeftovers();
  return { removed, leftovers: totalOf(await leftovers()) };
}

/** Exit code of a result: what was claimed and did not hold is "not verified". */
export const exitCodeOf = (result: DemoResult): ExitCode =>
  result.ok ? EXIT.ok : EXIT.notVerified;
