// Makes very many connections between pods of two nodes with real agents, and counts what is held before,
// meanwhile and after, each time when nothing is under way.
import { setTimeout as pause } from 'node:timers/promises';
import { duration } from '#agent/api/units.ts';
import { waitListening } from '#hwtest/rig/program.ts';
import { takeLedger, type Holder } from '#hwtest/suites/ledger.ts';
import { NODES, pod, twoNodes, type TwoNodes } from '#hwtest/suites/twoNodes.ts';
import { growthOf, isLongEnough, type LeakResult, type LeakRow } from './result.ts';

export interface LeakOptions {
  readonly connections: number;
  /** A row after so many. */
  readonly every: number;
  readonly say: (line: string) => void;
  readonly stop: AbortSignal;
}

const PERIOD_MS = 5_000;
const ECHO_PORT = 7007;
const AT_ONCE = 64;
const WARM_UP = 5_000;
/** The longest that a connection which carries no lane is kept (proxy/strangers.ts), and some. */
const REST_MS = 20_000;
const PER_SECOND_AT_LEAST = 100;
const SUITES = `${import.meta.dirname}/../suites`;

/** Errors: those of a rig; a run that is stopped ends with what it has. */
export async function runLeak(options: LeakOptions): Promise<LeakResult> {
  const { connections, every, say, stop } = options;
  const pods = [pod('client', 'node-a', 'client'), pod('server', 'node-b', 'server')];
  await using both = await twoNodes({ pods, periodMs: PERIOD_MS });
  const argv = [process.execPath, `${SUITES}/echo.ts`, String(ECHO_PORT)] as const;
  const echo = both.rig.spawn(both.rig.pod('server'), argv, { name: 'echo' });
  await waitListening(echo, ECHO_PORT);
  say(`warm-up of ${WARM_UP} connections`);
  await connect(both, WARM_UP);
  const rows: LeakRow[] = [await rowOf(both, 0)];
  const startedMs = performance.now();
  const total = { opened: 0, failed: 0 };
  for (let made = 0; made < connections && !stop.aborted;) {
    const count = Math.min(every, connections - made);
    const { opened, failed } = await connect(both, count);
    made += count;
    total.opened += opened;
    total.failed += failed;
    rows.push(await rowOf(both, made));
    const leftMs = ((performance.now() - startedMs) / made) * (connections - made);
    say(`${made} of ${connections} connections, ${total.failed} failed, ${duration(leftMs)} left`);
  }
  const grew = growthOf(rows);
  return {
    apiVersion: 'tidelock/v1',
    kind: 'Leak',
    connections,
    ...total,
    seconds: (performance.now() - startedMs) / 1000,
    rows,
    grew,
    ok:
      isLongEnough(connections) &&
      grew.length === 0 &&
      total.failed === 0 &&
      total.opened === connections,
  };
}

interface Made {
  readonly opened: number;
  readonly failed: number;
}

async function connect(both: TwoNodes, count: number): Promise<Made> {
  const { address } = both.rig.pod('server');
  const args = [`${SUITES}/connector.ts`, address, ECHO_PORT, count, AT_ONCE].map(String);
  const timeoutMs = 60_000 + (count / PER_SECOND_AT_LEAST) * 1000;
  const { stdout } = await both.exec('client', [process.execPath, ...args], timeoutMs);
  return JSON.parse(stdout.toString()) as Made;
}

async function rowOf(both: TwoNodes, connections: number): Promise<LeakRow> {
  await pause(REST_MS);
  await both.inStep();
  const { counts } = await takeLedger(both, await holders(both));
  return { connections, counts };
}

async function holders(both: TwoNodes): Promise<Holder[]> {
  const rows = await Promise.all(
    NODES.map(async (node): Promise<Holder[]> => {
      const agent = both.agent(node);
      const { pid = 0 } = (await agent.status()).dataPlane;
      return [
        { name: `${node} agent`, pid: agent.program.pid },
        { name: `${node} data plane`, pid },
      ];
    }),
  );
  return rows.flat();
}
