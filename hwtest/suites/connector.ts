// Runs inside a client pod: opens `count` connections to an address, `at` a time, exchanges one byte on
// each, closes it, and prints `{"opened","failed","errors","ms"}`. Usage: connector.ts ADDRESS PORT COUNT AT
import { connect } from 'node:net';

const [address = '', port = '0', count = '0', at = '1'] = process.argv.slice(2);

let started = 0;
let opened = 0;
let failed = 0;
const errors: Record<string, number> = {};

const one = (): Promise<void> =>
  new Promise((resolve) => {
    let answered = false;
    const socket = connect(Number(port), address, () => socket.write('x'));
    socket.setNoDelay(true);
    socket.once('data', () => {
      answered = true;
      socket.end();
    });
    socket.on('error', ({ code = 'error' }: NodeJS.ErrnoException) => {
      errors[code] = (errors[code] ?? 0) + 1; // counted as failed at close
    });
    socket.once('close', () => {
      if (answered) opened += 1;
      else failed += 1;
      resolve();
    });
  });

async function lane(): Promise<void> {
  while (started < Number(count)) {
    started += 1;
    await one();
  }
}

const from = performance.now();
await Promise.all(Array.from({ length: Number(at) }, lane));
process.stdout.write(
  `${JSON.stringify({ opened, failed, errors, ms: Math.round(performance.now() - from) })}\n`,
);
