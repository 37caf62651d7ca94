// The kernel's own opinion of its clock, adjtimex(2), read only.
import { Buffer } from 'node:buffer';
import { checked, libc } from './libc.ts';

const adjtimex: (state: Buffer) => number = libc.func('int adjtimex(void *state)');

/** sizeof(struct timex) on 64-bit Linux, and where what is read here stands in it. */
const TIMEX_BYTES = 208;
const MAXERROR_AT = 24;
/** adjtimex(2): nothing has disciplined the clock, or not for long enough. */
const TIME_ERROR = 5;

export interface KernelClock {
  /** Whether NTP, PTP or the like keeps the clock, as the kernel was told. */
  readonly synchronised: boolean;
  /** How far it may be off, milliseconds; it grows while nobody disciplines the clock. */
  readonly maxErrorMs: number;
}

/** Errors: SYSCALL_FAILED. */
export function kernelClock(): KernelClock {
  const state = Buffer.alloc(TIMEX_BYTES); // modes 0: nothing is set
  const result = checked('adjtimex', adjtimex(state));
  return {
    synchronised: result !== TIME_ERROR,
    maxErrorMs: Number(state.readBigInt64LE(MAXERROR_AT)) / 1000,
  };
}
