// Whose the addresses are that no snapshot names, where it does not name all nodes (Snapshot.asks): a worker's
// questions to the control plane, one for each address, while the connections that want to know wait. What
// is not learned is never taken for nobody's; who may be reached is routes.ts.
import type { Clock } from '#agent/base/clock.ts';

/** By then there is an answer, or those who wait go on without one. */
export const ANSWER_WITHIN_MS = 3000;
/** So long an address that is nobody's is not asked for again, which a pod of another node may get meanwhile. */
const NOBODYS_MS = 3000;
const MAX_NOBODYS = 4096;
/** Questions at once: of a worker, and those among them that one pod has caused. */
const MAX_QUESTIONS = 1024;
const MAX_QUESTIONS_OF_POD = 256;
/** One that runs through addresses as fast as it can leaves room for the questions of others. */
const QUESTIONS_OF_POD_PER_SECOND = 256;
const SECOND_MS = 1000;

/** One clause on why nothing came of a question. */
interface Failed {
  readonly failed: string;
}
export type Finding = { readonly isKnown: boolean } | Failed;

/** Told once, never from within the call that asks. */
type Waiter = (finding: Finding) => void;

interface Question {
  readonly id: number;
  readonly address: string;
  /** The pod that was the first to want to know. */
  readonly podUid: string;
  readonly waiters: Set<Waiter>;
  readonly cancel: () => void;
}

export class Whereabouts {
  readonly #clock: Clock;
  readonly #send: (id: number, address: string) => void;
  #lastId: number;
  readonly #byId = new Map<number, Question>();
  readonly #byAddress = new Map<string, Question>();
  /** How many of them a pod has caused. */
  readonly #ofPod = new Map<string, number>();
  /** The same of those that were asked in this second. */
  readonly #ofPodInSecond = new Map<string, number>();
  #secondStartMs = -Infinity;
  /** Until when an address is nobody's, monotonic; oldest first. */
  readonly #nobodys = new Map<string, number>();

  /** `firstId`: drawn, so that no answer to the worker that had this one's place fits a question of this. */
  constructor(clock: Clock, firstId: number, send: (id: number, address: string) => void) {
    this.#clock = clock;
    this.#lastId = firstId;
    this.#send = send;
  }

  /** Whether it was said a moment ago that no node has a pod at `address`. */
  readonly isNobodys = (address: string): boolean => {
    const untilMs = this.#nobodys.get(address);
    return untilMs !== undefined && this.#clock.monoMs() < untilMs;
  };

  /**
   * Asks whose `address`, in its one form, is; the returned function takes the waiter back. Failed: there are
   * too many questions, and the waiter is not told.
   */
  ask(podUid: string, address: string, waiter: Waiter): (() => void) | Failed {
    const question = this.#byAddress.get(address) ?? this.#put(podUid, address);
    if (!question) {
      return { failed: `too many addresses are being asked for to learn whose ${address} is` };
    }
    question.waiters.add(waiter);
    return () => {
      question.waiters.delete(waiter);
      if (question.waiters.size === 0) this.#remove(question);
    };
  }

  /** `isKnown`: the newest snapshot has its address; undefined: it could not be found out. */
  answer(id: number, isKnown: boolean | undefined): void {
    const question = this.#byId.get(id);
    if (!question) return; // nobody waits any more
    if (isKnown === false) this.#remember(question.address);
    this.#settle(
      question,
      isKnown === undefined ? { failed: notLearned(question.address) } : { isKnown },
    );
  }

  /** Another control plane is there, which the one before has told nothing. */
  askAgain(): void {
    this.#nobodys.clear();
    for (const { id, address } of this.#byId.values()) this.#send(id, address);
  }

  /** Nobody is told anything any more. */
  close(): void {
    for (const question of this.#byId.values()) this.#remove(question);
  }

  /** Undefined: there are too many. */
  #put(podUid: string, address: string): Question | undefined {
    if (this.#byId.size >= MAX_QUESTIONS || !this.#take(podUid)) return undefined;
    this.#lastId += 1;
    const question: Question = {
      id: this.#lastId,
      address,
      podUid,
      waiters: new Set(),
      cancel: this.#clock.after(ANSWER_WITHIN_MS, () =>
        this.#settle(question, { failed: notLearned(address) }),
      ),
    };
    this.#byId.set(question.id, question);
    this.#byAddress.set(address, question);
    this.#send(question.id, address);
    return question;
  }

  /** Whether the pod may ask once more. */
  #take(podUid: string): boolean {
    const nowMs = this.#clock.monoMs();
    if (nowMs - this.#secondStartMs >= SECOND_MS) {
      this.#secondStartMs = nowMs;
      this.#ofPodInSecond.clear();
    }
    const waiting = this.#ofPod.get(podUid) ?? 0;
    const inSecond = this.#ofPodInSecond.get(podUid) ?? 0;
    if (waiting >= MAX_QUESTIONS_OF_POD || inSecond >= QUESTIONS_OF_POD_PER_SECOND) return false;
    this.#ofPod.set(podUid, waiting + 1);
    this.#ofPodInSecond.set(podUid, inSecond + 1);
    return true;
  }

  #settle(question: Question, finding: Finding): void {
    this.#remove(question);
    for (const waiter of question.waiters) waiter(finding);
  }

  #remove({ id, address, podUid, cancel }: Question): void {
    if (!this.#byId.delete(id)) return;
    cancel();
    this.#byAddress.delete(address);
    const waiting = (this.#ofPod.get(podUid) ?? 0) - 1;
    if (waiting > 0) this.#ofPod.set(podUid, waiting);
    else this.#ofPod.delete(podUid);
  }

  #remember(address: string): void {
    this.#nobodys.delete(address); // to stand last
    this.#nobodys.set(address, this.#clock.monoMs() + NOBODYS_MS);
    const oldest = this.#nobodys.size > MAX_NOBODYS ? this.#nobodys.keys().next().value : undefined;
    if (oldest !== undefined) this.#nobodys.delete(oldest);
  }
}

/** One clause for operators. */
export const notLearned = (address: string): string =>
  `whose ${address} is could not be learned in time`;
