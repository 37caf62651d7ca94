// The process runner with real programs: Node itself, so that nothing need be installed.
import { describe, expect, it } from 'vitest';
import { TidelockError } from './errors.ts';
import { run, type RunOptions } from './run.ts';

const script = (source: string, options?: RunOptions) =>
  run([process.execPath, '-e', source], options);

const failure = async (promise: Promise<unknown>): Promise<TidelockError> => {
  const thrown: unknown = await promise.then(
    () => 'resolved',
    (error: unknown) => error,
  );
  if (thrown instanceof TidelockError) return thrown;
  throw new Error(`expected a TidelockError, got ${String(thrown)}`);
};

describe('run()', () => {
  it('run() returns stdout as bytes and stderr as text', async () => {
    const result = await script('process.stdout.write(Buffer.from([0, 255])); console.error("e")');
    expect(result).toEqual({ code: 0, stdout: Buffer.from([0, 255]), stderr: 'e\n' });
  });

  it('run() passes arguments without a shell', async () => {
    const odd = ['a b', '$HOME', '"; exit 3', '*'];
    const source = 'console.log(JSON.stringify(process.argv.slice(1)))';
    const { stdout } = await run([process.execPath, '-e', source, '--', ...odd]);
    expect(JSON.parse(stdout.toString())).toEqual(odd);
  });

  it('run() gives input and environment', async () => {
    const source = 'process.stdin.pipe(process.stdout); console.log(process.env.TIDE)';
    const { stdout } = await script(source, { input: 'in', env: { TIDE: 'high' } });
    expect(stdout.toString()).toBe('high\nin');
  });

  it('run() starts a program in a session of its own when asked to', async () => {
    // Field 6 of /proc/PID/stat (proc(5)); the name in field 2 has no space here.
    const source = 'const s = fs.readFileSync("/proc/self/stat", "utf8"); console.log(s)';
    const session = async (ownSession: boolean): Promise<boolean> => {
      const [pid, , , , , sid] = (await script(source, { ownSession })).stdout
        .toString()
        .split(' ');
      return pid === sid;
    };
    expect(await session(true)).toBe(true);
    expect(await session(false)).toBe(false);
  });

  it('run() takes a named exit code for an answer', async () => {
    expect((await script('process.exit(3)', { okCodes: [0, 3] })).code).toBe(3);
  });

  it('run() reports any other exit code with what the program said', async () => {
    const error = await failure(script('console.error("no such key"); process.exit(3)'));
    expect(error.code).toBe('PROCESS_FAILED');
    expect(error.message).toContain('exit code 3: no such key');
  });

  it('run() names the signal that ended the program', async () => {
    const error = await failure(
      script('process.kill(process.pid, "SIGTERM"); setInterval(() => 0, 9)'),
    );
    expect(error.code).toBe('PROCESS_FAILED');
    expect(error.message).toContain('SIGTERM');
  });

  it('run() says what to install when the program is missing', async () => {
    const error = await failure(run(['tidelock-no-such-program']));
    expect(error.code).toBe('PROCESS_MISSING');
    expect(error.hint).toContain('Install');
  });

  it('run() ends a program that outlives its time', async () => {
    const error = await failure(script('setInterval(() => 0, 1000)', { timeoutMs: 50 }));
    expect(error.code).toBe('PROCESS_TIMEOUT');
    expect(error.retryable).toBe(true);
  });

  it('run() ends a program that floods either stream', async () => {
    for (const stream of ['stdout', 'stderr']) {
      const source = `setInterval(() => process.${stream}.write('x'.repeat(4096)), 0)`;
      const error = await failure(script(source, { maxOutputBytes: 10_000 }));
      expect(error.code).toBe('PROCESS_FAILED');
      expect(error.message).toContain('more than 10000 bytes');
    }
  });

  it('run() survives a program that does not read its input', async () => {
    const { code } = await script('process.stdin.destroy()', { input: 'x'.repeat(1 << 20) });
    expect(code).toBe(0);
  });

  it('run() ends the program when the caller gives up', async () => {
    const abort = new AbortController();
    const ended = failure(script('setInterval(() => 0, 1000)', { signal: abort.signal }));
    abort.abort();
    expect((await ended).code).toBe('PROCESS_FAILED');
  });
});
