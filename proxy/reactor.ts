// The event loop of one worker thread: epoll for its sockets, timers, and what is put off to the end of
// a turn. It stands in for Node's own loop, which spends on each connection several times what the
// protocol does (docs/decisions/0007), and lets that one run whenever the main thread rings. No promise,
// microtask or Node timer is served before that: nothing on the data path may wait for one.
import { performance } from 'node:perf_hooks';
import type { Clock } from '#agent/base/clock.ts';
import { EPOLL, Epoll } from '#proxy/native/epoll.ts';
import { closeFd } from '#proxy/native/fd.ts';
import { quieten } from '#proxy/native/eventfd.ts';
import { giveWay } from '#proxy/native/process.ts';
import { HeldBytes } from './heldBytes.ts';
import type { Ledger } from './ledger.ts';
import { CROWDED_MS, POLL_MS, Polling } from './polling.ts';
import { Timers } from './timers.ts';

/** A descriptor's owner. Called by the reactor alone, never from within a call to it. */
export interface Watched {
  /** epoll(7) event bits. */
  ready(events: number): void;
}

/** What has work left for the next turn, or for the end of this one. */
export interface Task {
  run(): void;
}

/** The longest wait, should nothing ring: messages of the main thread are heard this late at worst. */
const MAX_WAIT_MS = 500;
/** Busy without a pause, Node's loop is let in this often. */
const MAX_BUSY_MS = 200;
/** Where Node's loop leads: how often this one looks. */
const PUMP_MS = 1;

export class Reactor {
  readonly #epoll = new Epoll();
  readonly #timers = new Timers();
  readonly #polling = new Polling();
  readonly #watched: (Watched | undefined)[] = [];
  /** To be run in the next turn, before anything new is waited for. */
  #again: Task[] = [];
  /** To be run at the end of this turn. */
  #late: Task[] = [];
  #closing: number[] = [];
  #isRung = false;
  #hasServed = false;
  #isStopped = false;
  readonly #ledger: Pick<Ledger, 'take' | 'drop'> | undefined;
  /** What the connections of this thread hold. */
  readonly held: HeldBytes;

  /** `ledger`: where the descriptors of this thread are noted; `held`: its part of what all may hold. */
  constructor(ledger?: Pick<Ledger, 'take' | 'drop'>, held = new HeldBytes()) {
    this.#ledger = ledger;
    this.held = held;
    ledger?.take(this.#epoll.fd);
  }

  /** Real time, and timers that end a wait. */
  readonly clock: Clock = {
    wallMs: () => Date.now(),
    monoMs: () => performance.now(),
    after: (ms, callback) => this.#timers.set(performance.now(), ms, callback),
  };

  /**
   * Tells `watched` each time the state of `fd` changes (EPOLLET); the first time what it is now.
   * Errors: SYSCALL_FAILED.
   */
  watch(fd: number, watched: Watched): void {
    this.#ledger?.take(fd);
    this.#epoll.add(fd, EPOLL.in | EPOLL.urgent | EPOLL.out | EPOLL.peerClosed | EPOLL.edge);
    this.#watched[fd] = watched;
  }

  /** Tells `watched` in each turn in which `fd` has something to read. Errors: SYSCALL_FAILED. */
  watchReadable(fd: number, watched: Watched): void {
    this.#ledger?.take(fd);
    this.#epoll.add(fd, EPOLL.in);
    this.#watched[fd] = watched;
  }

  /** Watches no longer; the descriptor stays open. Errors: SYSCALL_FAILED. */
  unwatch(fd: number): void {
    this.#ledger?.drop(fd);
    this.#epoll.remove(fd);
    this.#watched[fd] = undefined;
  }

  /** `fd` is this thread's: it goes when the thread does. */
  take(fd: number): void {
    this.#ledger?.take(fd);
  }

  /** Closes a descriptor of this thread, after this turn: until then no other can have its number. */
  close(fd: number): void {
    this.#watched[fd] = undefined;
    this.#closing.push(fd);
  }

  /** Runs `task` in the next turn, after what else is ready. */
  again(task: Task): void {
    this.#again.push(task);
  }

  /** Runs `task` at the end of this turn; of the next, if none is under way. */
  late(task: Task): void {
    this.#late.push(task);
  }

  /** Somebody who is owed it has got a byte in this turn: to wait for the next may be worth a poll. */
  served(): void {
    this.#hasServed = true;
  }

  /** Takes the thread over: waits in epoll, and lets Node's loop run once when `bell` has rung. */
  run(bell: number): void {
    this.watchReadable(bell, {
      ready: () => {
        quieten(bell);
        this.#isRung = true;
      },
    });
    const busy = (): void => {
      const untilMs = performance.now() + MAX_BUSY_MS;
      this.#isRung = false;
      do this.turn(MAX_WAIT_MS);
      while (!this.#isRung && !this.#isStopped && performance.now() < untilMs);
      if (!this.#isStopped) setImmediate(busy);
    };
    busy();
  }

  /** Works beside Node's loop without ever blocking it, a turn each millisecond: for tests and tools. */
  pump(): void {
    const timer = setInterval(() => {
      if (this.#isStopped) clearInterval(timer);
      else this.turn(0);
    }, PUMP_MS);
    timer.unref();
  }

  /** Ends with the turn under way. Descriptors still watched stay open and their owners'. */
  stop(): void {
    this.#isStopped = true;
    this.#finishTurn();
    this.#epoll.close();
  }

  /** Does what is ready, after a wait of up to `maxWaitMs` where nothing is. */
  turn(maxWaitMs: number): void {
    const tasks = this.#again;
    this.#again = [];
    const hasWork = tasks.length > 0 || this.#late.length > 0;
    const waitMs = hasWork ? 0 : Math.min(maxWaitMs, this.#timers.nextMs() - performance.now());
    this.#wait(waitMs);
    this.#epoll.dispatch(this.#dispatch);
    for (const task of tasks) task.run();
    this.#timers.run(performance.now());
    this.#finishTurn();
    this.#polling.turned(this.#hasServed);
    this.#hasServed = false;
  }

  /** Until something is ready, or `waitMs` are over. */
  #wait(waitMs: number): void {
    if (waitMs <= 0) {
      this.#epoll.ready(0);
      return;
    }
    if (this.#polling.isWorthwhile && this.#poll(Math.min(waitMs, POLL_MS))) return;
    const fromMs = performance.now();
    if (this.#epoll.ready(Math.ceil(waitMs)) > 0) this.#polling.slept(performance.now() - fromMs);
  }

  /** Asks for `forMs` without sleeping; whoever else wants the processor has it in between. */
  #poll(forMs: number): boolean {
    let nowMs = performance.now();
    const untilMs = nowMs + forMs;
    let isFound = this.#epoll.ready(0) > 0;
    while (!isFound && nowMs < untilMs) {
      giveWay();
      isFound = this.#epoll.ready(0) > 0;
      const askedMs = nowMs;
      nowMs = performance.now();
      if (nowMs - askedMs > CROWDED_MS) {
        this.#polling.crowded();
        return isFound;
      }
    }
    this.#polling.polled(isFound);
    return isFound;
  }

  readonly #dispatch = (fd: number, events: number): void => {
    this.#watched[fd]?.ready(events);
  };

  #finishTurn(): void {
    while (this.#late.length > 0) {
      const tasks = this.#late;
      this.#late = [];
      for (const task of tasks) task.run();
    }
    for (const fd of this.#closing) {
      this.#ledger?.drop(fd);
      closeFd(fd);
    }
    this.#closing.length = 0;
  }
}
