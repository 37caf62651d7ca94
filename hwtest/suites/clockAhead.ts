// A wall clock that is 20 s ahead, for one process: loaded before a program by `node --import`. A time
// namespace shifts only the monotonic clocks and a machine has one wall clock for everybody on it, so
// this is the one thing of the doctor suite that is made up; NATS, TPM and kernel are the real ones.
const AHEAD_MS = 20_000;
const real = Date.now;
Date.now = () => real() + AHEAD_MS;
