// The only way to the TPM: tpm2-tools, one sequence of commands at a time. A sequence owns a scratch
// directory; nothing it made, in the TPM or on disk, outlives it, so nothing goes stale at a reset.
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory } from '#agent/base/directory.ts';
import { TidelockError } from '#agent/base/errors.ts';
import type { Run } from '#agent/base/run.ts';
import { isStale, isTransport, responseOf, TpmCommandError } from './response.ts';
import { allowedTcti } from './tcti.ts';

export interface TpmAccess {
  /** `device:/dev/tpmrm0`, or a software TPM on this machine (tcti.ts). */
  readonly tcti: string;
  readonly run: Run;
  /** A directory of the agent's own; made when missing, mode 0700. */
  readonly workDir: string;
  readonly signal?: AbortSignal | undefined;
}

/** One verb's turn at the TPM. */
export interface Sequence {
  /** Runs `tpm2_<tool>`. Errors: TPM_COMMAND, TPM_UNREACHABLE, PROCESS_MISSING. */
  tool(name: string, ...args: readonly string[]): Promise<Buffer>;
  /** Path of a file in the scratch directory. */
  path(name: string): string;
}

export interface SequenceQueue extends AsyncDisposable {
  /** Runs `work` when all earlier sequences have ended. */
  run<T>(work: (sequence: Sequence) => Promise<T>): Promise<T>;
}

const MAX_OUTPUT_BYTES = 1 << 20;
/** Making an RSA key takes some hardware most of a minute. */
const TOOL_TIMEOUT_MS = 90_000;

/** Errors: TPM_TCTI_REFUSED. */
export function openSequences(access: TpmAccess): SequenceQueue {
  const tcti = allowedTcti(access.tcti);
  let tail: Promise<unknown> = Promise.resolve();
  let closed = false;
  return {
    run: (work) => {
      const turn = tail.then(() => {
        if (closed) throw closedError();
        return twice(access, tcti, work);
      });
      tail = turn.catch(() => undefined); // the caller of `turn` hears of it
      return turn;
    },
    [Symbol.asyncDispose]: async () => {
      closed = true;
      await tail;
    },
  };
}

/** Starts once more when the TPM was reset under the first attempt. */
async function twice<T>(
  access: TpmAccess,
  tcti: string,
  work: (sequence: Sequence) => Promise<T>,
): Promise<T> {
  try {
    return await once(access, tcti, work);
  } catch (error) {
    if (!(error instanceof TpmCommandError) || !isStale(error.response)) throw error;
    const isFull = error.response.name.startsWith('TPM_RC_SESSION_');
    await once(access, tcti, isFull ? (sequence) => flushSessions(sequence, tcti) : flushTransient);
    return once(access, tcti, work);
  }
}

async function once<T>(
  access: TpmAccess,
  tcti: string,
  work: (sequence: Sequence) => Promise<T>,
): Promise<T> {
  await makeDirectory(access.workDir);
  const scratch = await mkdtemp(join(access.workDir, 'tpm-'));
  try {
    return await work({
      tool: (name, ...args) => tool(access, tcti, name, args),
      path: (name) => join(scratch, name),
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/**
 * Drops the objects this client left loaded. A software TPM has no resource manager and three slots;
 * the kernel's manager shows each client its own objects only.
 */
export async function flushTransient(sequence: Sequence): Promise<void> {
  await sequence.tool('flushcontext', '-t');
}

/**
 * The sessions that killed clients left loaded in a software TPM, which is ours alone. The kernel's manager ends
 * those of a client that is gone, and would let others' be flushed.
 */
async function flushSessions(sequence: Sequence, tcti: string): Promise<void> {
  if (!tcti.startsWith('device:')) await sequence.tool('flushcontext', '-l');
}

async function tool(
  { run, signal }: TpmAccess,
  tcti: string,
  name: string,
  args: readonly string[],
): Promise<Buffer> {
  try {
    const { stdout } = await run([`tpm2_${name}`, ...args], {
      env: { TPM2TOOLS_TCTI: tcti, TSS2_LOG: 'all+ERROR', LC_ALL: 'C' },
      timeoutMs: TOOL_TIMEOUT_MS,
      maxOutputBytes: MAX_OUTPUT_BYTES,
      ...(signal && { signal }),
    });
    return stdout;
  } catch (error) {
    throw tpmError(error, tcti, `tpm.${name}`);
  }
}

function tpmError(error: unknown, tcti: string, op: string): unknown {
  if (!(error instanceof TidelockError)) return error;
  if (error.code === 'PROCESS_TIMEOUT') {
    return unreachable(error, tcti, op, `no answer in ${TOOL_TIMEOUT_MS / 1000} s`);
  }
  if (error.code !== 'PROCESS_FAILED') return error;
  const stderr = stderrOf(error.cause);
  const response = responseOf(stderr);
  if (response !== undefined && !isTransport(response)) {
    return new TpmCommandError(op, response, error);
  }
  const why = transportFailure(stderr);
  return response !== undefined || why !== undefined ? unreachable(error, tcti, op, why) : error;
}

/** `run` hands a failed program's stderr on as the cause. */
const stderrOf = (cause: unknown): string =>
  typeof cause === 'object' && cause !== null && 'stderr' in cause ? String(cause.stderr) : '';

/** What the transport library says after its function name; undefined when it says nothing. */
const transportFailure = (stderr: string): string | undefined =>
  /^ERROR:tcti:\S{1,120}\(\) (.{1,160}?) *$/m.exec(stderr)?.[1];

function unreachable(
  cause: TidelockError,
  tcti: string,
  op: string,
  why = 'the connection broke',
): TidelockError {
  return new TidelockError('TPM_UNREACHABLE', {
    op,
    message: `Cannot reach the TPM at ${tcti}: ${why}`,
    hint: 'Check that the device exists and the agent may open it, or that the software TPM runs. The next round tries again by itself.',
    cause,
  });
}

const closedError = (): TidelockError =>
  new TidelockError('TPM_UNREACHABLE', {
    op: 'tpm.close',
    message: 'Cannot use the TPM: it was closed',
    hint: 'The agent is shutting down.',
    retryable: false,
  });
