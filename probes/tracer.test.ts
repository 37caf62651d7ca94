// The real process, with a shell in bpftrace's place.
import { expect, test } from 'vitest';
import { tracerBy } from './tracer.ts';

/** What `script` prints, started as a tracer. */
async function ranAs(script: string): Promise<Record<'out' | 'err', string> & { end: unknown }> {
  const tracer = tracerBy(['sh', '-c', script, 'sh'])('the program', ['42']);
  const heard = { out: '', err: '' };
  tracer.onStdout((chunk) => {
    heard.out += chunk;
  });
  tracer.onStderr((chunk) => {
    heard.err += chunk;
  });
  const end = await tracer.ended;
  return { ...heard, end };
}

test('tracerBy() gives program, arguments and settings, and hears both streams', async () => {
  const script = 'cat; echo " $@"; echo $BPFTRACE_STRLEN; echo oops >&2; exit 7';
  const { out, err, end } = await ranAs(script);
  expect(out).toBe('the program -f json - 42\n128\n');
  expect(err).toBe('oops\n');
  expect(end).toEqual({ code: 7, signal: null });
});

test('tracerBy() says that a program is not there', async () => {
  const tracer = tracerBy(['tidelock-no-such-program'])('', []);
  tracer.onStdout(() => undefined);
  expect(await tracer.ended).toEqual({ spawnErrno: 'ENOENT', code: null, signal: null });
  tracer.kill('SIGTERM');
});

test('tracerBy() survives a program that does not read what it is given', async () => {
  const tracer = tracerBy(['true'])('x'.repeat(1 << 20), []);
  expect(await tracer.ended).toEqual({ code: 0, signal: null });
});

test('tracerBy() hears bytes as latin1 and passes signals on', async () => {
  const tracer = tracerBy(['sh', '-c', String.raw`printf '\303\251'; exec sleep 60`])('', []);
  const first = await new Promise((resolve) => tracer.onStdout(resolve));
  expect(first).toBe('Ã©');
  tracer.kill('SIGKILL');
  expect(await tracer.ended).toEqual({ code: null, signal: 'SIGKILL' });
});
