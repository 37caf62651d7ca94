// Chunks of a stream to lines. A line that is too long is dropped whole and counted, so that no sender
// can make it grow.

const MAX_LINE_CHARS = 8_192;

export class LineSplitter {
  readonly #onLine: (line: string) => void;
  readonly #onOverlong: () => void;
  #partial = '';
  /** The rest of a line that was too long is still coming. */
  #skipping = false;

  constructor(onLine: (line: string) => void, onOverlong: () => void) {
    this.#onLine = onLine;
    this.#onOverlong = onOverlong;
  }

  push(chunk: string): void {
    let from = 0;
    for (let end = chunk.indexOf('\n'); end !== -1; end = chunk.indexOf('\n', from)) {
      this.#add(chunk.slice(from, end));
      if (!this.#skipping) this.#onLine(this.#partial);
      this.#partial = '';
      this.#skipping = false;
      from = end + 1;
    }
    this.#add(chunk.slice(from));
  }

  #add(text: string): void {
    if (this.#skipping) return;
    if (this.#partial.length + text.length > MAX_LINE_CHARS) {
      this.#skipping = true;
      this.#partial = '';
      this.#onOverlong();
    } else {
      this.#partial += text;
    }
  }
}
