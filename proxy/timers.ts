// The timers of one thread, for a loop that asks when the next is due. Most timers of a lane are
// cancelled long before that: setting and cancelling touch a linked list each and nothing else.

interface Timer {
  readonly dueMs: number;
  readonly callback: () => void;
  list: TimerList | undefined;
  before: Timer | undefined;
  after: Timer | undefined;
}

/** Timers of one duration: in the order of their setting, which is that of their time. */
interface TimerList {
  first: Timer | undefined;
  last: Timer | undefined;
}

export class Timers {
  /** By duration, milliseconds. */
  readonly #lists = new Map<number, TimerList>();

  /** Calls back once at the first run() from `nowMs + ms` on; the returned function cancels. */
  set(nowMs: number, ms: number, callback: () => void): () => void {
    const timer: Timer = {
      dueMs: nowMs + ms,
      callback,
      list: undefined,
      before: undefined,
      after: undefined,
    };
    let list = this.#lists.get(ms);
    if (!list) this.#lists.set(ms, (list = { first: undefined, last: undefined }));
    timer.list = list;
    timer.before = list.last;
    if (list.last) list.last.after = timer;
    else list.first = timer;
    list.last = timer;
    return () => take(timer);
  }

  /** When the next one is due; Infinity: none is set. */
  nextMs(): number {
    let nextMs = Infinity;
    for (const [ms, { first }] of this.#lists) {
      if (!first) this.#lists.delete(ms);
      else if (first.dueMs < nextMs) nextMs = first.dueMs;
    }
    return nextMs;
  }

  /** Calls what is due. */
  run(nowMs: number): void {
    for (const list of this.#lists.values()) {
      while (list.first && list.first.dueMs <= nowMs) {
        const { first } = list;
        take(first);
        first.callback();
      }
    }
  }
}

function take(timer: Timer): void {
  const { list, before, after } = timer;
  if (!list) return;
  timer.list = undefined;
  if (before) before.after = after;
  else list.first = after;
  if (after) after.before = before;
  else list.last = before;
  timer.before = undefined;
  timer.after = undefined;
}
