// What a verb may touch of its process: two streams, the environment, the working directory and the
// request to stop. Tests give their own; nothing else in cli/ knows about `process`.

export interface Terminal {
  /** Writes to standard output; with `-o json` that is one document and nothing else. */
  readonly out: (text: string) => void;
  /** Writes to standard error. */
  readonly err: (text: string) => void;
  /** Standard output is a screen, which can be cleared; absent: it is not. */
  readonly isScreen?: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Aborted by the first SIGINT, SIGTERM or SIGHUP, or when output goes nowhere any more. Only who asks for it changes what these do. */
  readonly stopSignal: () => AbortSignal;
}

/** The terminal of this process. */
export function processTerminal(): Terminal {
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    isScreen: process.stdout.isTTY,
    env: process.env,
    cwd: process.cwd(),
    stopSignal: () => {
      const controller = new AbortController();
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
        process.once(signal, () => controller.abort(signal));
      }
      process.stdout.once('error', (error) => controller.abort(error)); // nobody reads any more (EPIPE)
      return controller.signal;
    },
  };
}
