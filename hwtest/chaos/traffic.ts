// What applications of two nodes notice while a bus goes through something: requests on connections of their own,
// one after the other, and two conversations that must lose nothing, in both directions.
import { setTimeout as pause } from 'node:timers/promises';
import type { Program } from '#hwtest/rig/program.ts';
import { answersOf, countedTo, startSession } from '#hwtest/suites/session.ts';
import { fetchFrom, type TwoNodes } from '#hwtest/suites/twoNodes.ts';

/** A client and the server that it talks to, by the names of their pods. */
export type Pair = readonly [client: string, server: string];

export interface Noticed {
  readonly requests: number;
  readonly exchanges: number;
  /** What went wrong, one line each. */
  readonly failed: readonly string[];
}

const EVERY_MS = 50;

/** How long applications wait for an answer, and whose are counted, where it is not those of all pairs. */
export interface Patience {
  readonly seconds?: number;
  readonly fetching?: readonly Pair[];
}

/** Starts both; what is returned stops them and says what they noticed. */
export function startTraffic(
  both: TwoNodes,
  pairs: readonly Pair[],
  name: string,
  { seconds, fetching: fetchers = pairs }: Patience = {},
): () => Promise<Noticed> {
  const failed: string[] = [];
  const stopping = new AbortController();
  let requests = 0;
  const { rig } = both;
  const sessions = pairs.map(([client, server]) =>
    startSession(rig, rig.pod(client), rig.pod(server), `${name}-${client}`),
  );
  const fetching = fetchers.map(async ([client, server]) => {
    while (!stopping.signal.aborted) {
      const atMs = Date.now();
      const { code, stderr } = await fetchFrom(both, client, rig.pod(server), '/canary', seconds);
      requests += 1;
      if (code !== 0) failed.push(`${new Date(atMs).toISOString()} ${client}: ${stderr.trim()}`);
      await pause(EVERY_MS);
    }
  });
  return async () => {
    stopping.abort();
    await Promise.all(fetching);
    const answers = await Promise.all(sessions.map(endSession));
    for (const [i, each] of answers.entries()) {
      const [client] = pairs[i] ?? ['?'];
      const isWhole = each.join() === countedTo(each.length).join();
      if (each.length === 0 || !isWhole)
        failed.push(`conversation of ${client}: ${each.at(-1) ?? 'no answer'}`);
    }
    return { requests, exchanges: answers.flat().length, failed };
  };
}

/** Its answers, and one more line if it had ended by itself. */
async function endSession(session: Program): Promise<readonly string[]> {
  const hadEnded = !session.running();
  await session.stop();
  return [...answersOf(session), ...(hadEnded ? ['it had ended by itself'] : [])];
}
