// Tasks of which so many run at a time: the others wait, in the order in which they came.

export class Semaphore {
  readonly #atOnce: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(atOnce: number) {
    this.#atOnce = atOnce;
  }

  /** How many tasks have not begun. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Runs `task` when it is its turn. Errors: those of the task. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running < this.#atOnce) this.#running += 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift(); // it takes this one's place
      if (next) next();
      else this.#running -= 1;
    }
  }
}
