// The C library of this process and how a failed call of it becomes an error. Every other file of
// this folder binds its own few functions; layouts and constants are those of 64-bit Linux, which are
// the same on x64 and arm64.
import koffi from 'koffi';
import { TidelockError } from '#agent/base/errors.ts';

export const libc = koffi.load(null);

/** What a SYSCALL_FAILED error has as its cause. */
export interface SyscallFailure {
  readonly call: string;
  /** Name as in errno(3), `EADDRINUSE`; `E<number>` when unknown. */
  readonly errno: string;
}

/**
 * `result` of a C call that reports failure as a negative number, else throws at once, before
 * anything else can change errno. Errors: SYSCALL_FAILED.
 */
export function checked(call: string, result: number): number {
  if (result >= 0) return result;
  const errno = errnoName();
  const cause: SyscallFailure = { call, errno };
  throw new TidelockError('SYSCALL_FAILED', {
    op: `syscall.${call}`,
    message: `Cannot complete ${call}: ${errno}`,
    hint: HINTS[errno] ?? `See ${call}(2) for what ${errno} means there.`,
    cause,
  });
}

/** errno of the last C call of this thread, by name. */
function errnoName(): string {
  const number = koffi.errno();
  return NAMES.get(number) ?? `E${number}`;
}

const EAGAIN = koffi.os.errno['EAGAIN'];

/** True when the last C call of this thread failed only because it would have had to wait. */
export const wouldBlock = (): boolean => koffi.errno() === EAGAIN;

/** The errno name of a SYSCALL_FAILED error, undefined for any other value. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof TidelockError) || error.code !== 'SYSCALL_FAILED') return undefined;
  return (error.cause as SyscallFailure).errno;
}

/** Of two names for one number the first counts: EAGAIN, not EWOULDBLOCK. */
const NAMES = new Map(
  Object.entries(koffi.os.errno)
    .toReversed()
    .map(([name, number]) => [number, name]),
);

const HINTS: Readonly<Record<string, string>> = {
  EPERM: 'The agent needs CAP_NET_ADMIN and CAP_SYS_ADMIN here; run it as root or grant both.',
  EACCES: 'The agent needs CAP_NET_ADMIN and CAP_SYS_ADMIN here; run it as root or grant both.',
  EMFILE: 'The limit of open files of this process is reached; raise LimitNOFILE.',
  ENFILE: 'The limit of open files of this machine is reached; raise fs.file-max.',
};
