// A store of answers that forgets the one which was asked for longest ago: what is in use stays, however
// many others come.

export class Recent<Value> {
  readonly #max: number;
  /** The one that goes next first. */
  readonly #values = new Map<string, Value>();

  /** `max`: how many it keeps. */
  constructor(max: number) {
    this.#max = max;
  }

  get(key: string): Value | undefined {
    const value = this.#values.get(key);
    if (value === undefined) return undefined;
    this.#values.delete(key);
    this.#values.set(key, value);
    return value;
  }

  set(key: string, value: Value): void {
    this.#values.set(key, value);
    if (this.#values.size <= this.#max) return;
    const oldest = this.#values.keys().next();
    if (oldest.done === false) this.#values.delete(oldest.value);
  }
}
