// What machine this is: hardware and system as the operating system tells them, read once. Nothing of
// it is evidence; it helps a person who looks at a node.
import { Worker } from 'node:worker_threads';
import { z } from 'zod';

/** Of the node's machine; texts are empty where the platform does not say. */
export const hostSchema = z.object({
  system: z.string(),
  virtual: z.boolean(),
  firmware: z.string(),
  processor: z.string(),
  cores: z.number(),
  memoryBytes: z.number(),
  os: z.string(),
  kernel: z.string(),
});

export type Host = z.infer<typeof hostSchema>;

/** Reads the host in a thread of its own; undefined when it cannot be read or `signal` aborts. */
export function readHost(signal: AbortSignal): Promise<Host | undefined> {
  const worker = new Worker(new URL('./hostWorker.ts', import.meta.url));
  return new Promise((resolve) => {
    worker.once('message', (message: unknown) => resolve(hostSchema.safeParse(message).data));
    worker.once('error', () => resolve(undefined)); // a platform that is not known: status goes without
    worker.once('exit', () => resolve(undefined));
    signal.addEventListener('abort', () => void worker.terminate(), { once: true });
  });
}

/** The same as a value that is there once it was read. */
export function hostOf(signal: AbortSignal): () => Host | undefined {
  let host: Host | undefined;
  void readHost(signal).then((read) => {
    host = read;
  });
  return () => host;
}
