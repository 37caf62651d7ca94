import { expect, test } from 'vitest';
import { diagnose, thisMachine, type Failure, type Machine } from './diagnosis.ts';

const ALL = (1n << 41n) - 1n;
const SOUND: Machine = { exists: () => true, capabilities: () => ALL };
const without = (...paths: string[]): Machine => ({
  ...SOUND,
  exists: (path) => !paths.some((each) => path.startsWith(each)),
});
const held = (...bits: number[]): Machine => ({
  ...SOUND,
  capabilities: () => bits.reduce((set, bit) => set | (1n << BigInt(bit)), 0n),
});

const failure = (stderr: string, change: Partial<Failure> = {}): Failure => ({
  end: { code: 1, signal: null },
  stderr,
  ran: false,
  silent: false,
  ...change,
});

/** As bpftrace 0.17 prints it whenever it may not lock memory. */
const NOISE =
  'ERROR: Unknown error -1: couldn\'t set RLIMIT_MEMLOCK for bpftrace. If your program is not loading, you can try "ulimit -l 8192" to fix the problem\n';
const NOT_FOUND = `${NOISE}stdin:1-3: ERROR: tracepoint not found: sched:sched_process_exec\n`;

test.each([
  {
    lacks: 'the program',
    given: failure('', { end: { spawnErrno: 'ENOENT', code: null, signal: null } }),
    machine: SOUND,
    says: 'bpftrace is not installed',
  },
  {
    lacks: 'tracefs',
    given: failure(NOT_FOUND),
    machine: without('/sys/kernel/tracing', '/sys/kernel/debug'),
    says: 'tracefs is not mounted',
  },
  {
    lacks: 'capabilities',
    given: failure(NOT_FOUND),
    machine: held(39),
    says: 'the agent may not trace',
  },
  {
    lacks: 'root',
    given: failure('ERROR: bpftrace currently only supports running as the root user.\n'),
    machine: SOUND,
    says: 'the agent may not trace',
  },
  {
    lacks: 'BTF',
    given: failure("definitions.h:10:3: error: unknown type name 'pid_t'\n"),
    machine: without('/sys/kernel/btf'),
    says: 'the kernel has no type information (BTF)',
  },
  {
    lacks: 'a tracepoint',
    given: failure(NOT_FOUND),
    machine: SOUND,
    says: 'the kernel has no tracepoint sched:sched_process_exec',
  },
  {
    lacks: 'permission of the kernel',
    given: failure('ERROR: Error loading program: Operation not permitted\n'),
    machine: SOUND,
    says: 'the kernel forbids tracing',
  },
])('diagnose() names what is lacking: $lacks', ({ given, machine, says }) => {
  const error = diagnose(given, machine);
  expect(error).toMatchObject({
    code: 'PROBES_UNAVAILABLE',
    message: `Cannot start probes: ${says}`,
    retryable: true,
  });
  expect(error.hint.length).toBeGreaterThan(30);
});

test('diagnose() takes debugfs for tracefs, and CAP_BPF with CAP_PERFMON for CAP_SYS_ADMIN', () => {
  expect(diagnose(failure(''), without('/sys/kernel/tracing')).code).toBe('PROBES_FAILED');
  expect(diagnose(failure(''), held(38, 39)).code).toBe('PROBES_FAILED');
  expect(diagnose(failure(''), held(21)).code).toBe('PROBES_FAILED');
});

test('diagnose() says how a tracer that ran has ended, whatever the machine is like', () => {
  const killed = { code: null, signal: 'SIGKILL' };
  const bare = without('/sys');
  expect(diagnose(failure('', { ran: true, end: killed }), bare)).toMatchObject({
    code: 'PROBES_FAILED',
    message: 'Cannot keep probes running: bpftrace was ended by SIGKILL',
  });
  const silent = diagnose(failure('', { ran: true, silent: true, end: killed }), bare);
  expect(silent.message).toContain('said nothing any more');
});

test('diagnose() repeats the last words of bpftrace and not its usual noise', () => {
  const { hint } = diagnose(failure(`${NOISE}one\ntwo\nthree\nfour\n`), SOUND);
  expect(hint).toContain('It said: two / three / four');
  expect(hint).not.toContain('MEMLOCK');
  expect(diagnose(failure(NOISE), SOUND).hint).toContain('It said nothing.');
});

test('thisMachine answers for what is there and what is not', () => {
  expect(thisMachine.exists('/proc/self')).toBe(true);
  expect(thisMachine.exists('/proc/self/nothing')).toBe(false);
  expect(thisMachine.capabilities()).toBeTypeOf('bigint');
});
