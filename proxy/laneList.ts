// The live connections of all workers, fetched page by page, so that a list of many never weighs on
// the control channel at once. What a page says was parsed; that it makes sense is seen to here.
import type { LanePage } from './control.ts';
import type { LaneInfo } from './facts.ts';

export interface LaneList {
  /** Oldest first. */
  readonly lanes: readonly LaneInfo[];
  /** Live connections that the list leaves out. */
  readonly omitted: number;
  /** Workers that did not answer; nothing is known of theirs. */
  readonly silent: number;
}

/** Fetches a page of `worker` after the connection with that number; undefined: no answer. */
type FetchPage = (worker: number, after: number) => Promise<LanePage | undefined>;

/** At most `max` connections in all, and of each worker its share of that. */
export async function listLanes(page: FetchPage, workers: number, max: number): Promise<LaneList> {
  const share = Math.ceil(max / workers);
  const lists = await Promise.all(
    Array.from({ length: workers }, (_, worker) => listOf(page, worker, share)),
  );
  const lanes = lists.flatMap((list) => list.lanes).sort((a, b) => a.openedAt - b.openedAt);
  const live = lists.reduce((sum, list) => sum + list.live, 0);
  const listed = lanes.slice(0, max);
  const silent = lists.filter((list) => list.isSilent).length;
  return { lanes: listed, omitted: Math.max(0, live - listed.length), silent };
}

async function listOf(
  page: FetchPage,
  worker: number,
  max: number,
): Promise<{
  readonly lanes: readonly LaneInfo[];
  readonly live: number;
  readonly isSilent: boolean;
}> {
  const lanes: LaneInfo[] = [];
  let after: number | undefined = 0;
  let live = 0;
  // The first page is asked for even if none of its lanes are wanted: it says that the worker lives.
  while (after !== undefined && (after === 0 || lanes.length < max)) {
    const answer: LanePage | undefined = await page(worker, after);
    if (answer === undefined) return { lanes, live, isSilent: true };
    lanes.push(...answer.lanes);
    live = answer.live;
    // A page without lanes or one that goes back would have no end.
    const next: number | undefined = answer.next;
    after = next !== undefined && next > after && answer.lanes.length > 0 ? next : undefined;
  }
  return { lanes: lanes.slice(0, max), live, isSilent: false };
}
