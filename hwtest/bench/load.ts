// Runs inside a client pod of the bench and prints one JSON object. Usage:
//   load.ts connections ADDRESS PORT SECONDS AT   connect, send a byte, read it, close; AT at a time
//   load.ts roundtrip ADDRESS PORT COUNT          1 KiB there and back on one connection
//   load.ts idle ADDRESS PORT COUNT               COUNT connections with a byte echoed, held until killed
import { closeFd } from '#proxy/native/fd.ts';
import { EPOLL, Epoll } from '#proxy/native/epoll.ts';
import { nameOf, receiveSome, sendSome, startConnecting } from './sockets.ts';

const [mode = '', address = '', port = '0', amount = '0', at = '1'] = process.argv.slice(2);
const name = nameOf(address, Number(port));
const poll = new Epoll();
const buffer = Buffer.alloc(64 << 10);

/** Round trips that are not counted: caches and congestion windows grow. */
const WARM_UP = 300;
const MESSAGE_BYTES = 1024;
/** A connection that takes longer than this failed, and so does what waits for it. */
const PATIENCE_MS = 10_000;
/** Connections of `idle` that are being made at one time. */
const IDLE_AT_ONCE = 32;

/**
 * Opens connections, `atOnce` at a time, while `more` holds of the number started; `echoed` is told
 * each that got its byte back and closes or keeps it. Returns how many failed.
 */
function connectMany(
  atOnce: number,
  more: (started: number) => boolean,
  echoed: (fd: number) => void,
): number {
  let started = 0;
  const pending = new Set<number>();
  let failed = 0;
  const start = (): void => {
    const fd = startConnecting(name);
    started += 1;
    pending.add(fd);
    poll.add(fd, EPOLL.in | EPOLL.out | EPOLL.edge);
  };
  const fail = (fd: number): void => {
    pending.delete(fd);
    failed += 1;
    closeFd(fd);
  };
  const sent = new Set<number>();
  let progressMs = performance.now();
  while (more(started) || pending.size > 0) {
    while (more(started) && pending.size < atOnce) start();
    poll.wait(100, (fd, events) => {
      if (!pending.has(fd)) return;
      progressMs = performance.now();
      if (events & (EPOLL.error | EPOLL.hangup)) {
        sent.delete(fd);
        fail(fd);
        return;
      }
      if (!sent.has(fd)) {
        sent.add(fd);
        sendSome(fd, buffer, 1);
      }
      const length = events & EPOLL.in ? receiveSome(fd, buffer) : undefined;
      if (length === undefined) return;
      sent.delete(fd);
      if (length === 0) fail(fd);
      else {
        pending.delete(fd);
        echoed(fd);
      }
    });
    if (performance.now() - progressMs > PATIENCE_MS) for (const fd of pending) fail(fd);
  }
  return failed;
}

function connections(seconds: number, atOnce: number): object {
  const fromMs = performance.now();
  const untilMs = fromMs + seconds * 1000;
  let opened = 0;
  const failed = connectMany(
    atOnce,
    () => performance.now() < untilMs,
    (fd) => {
      opened += 1;
      closeFd(fd);
    },
  );
  return { opened, failed, seconds: (performance.now() - fromMs) / 1000 };
}

function roundTrips(count: number): object {
  const timesUs: number[] = [];
  let connection = -1;
  connectMany(
    1,
    (started) => started < 1,
    (fd) => (connection = fd),
  );
  if (connection < 0) return { failed: 1 };
  for (let i = -WARM_UP; i < count; i += 1) {
    const from = performance.now();
    sendSome(connection, buffer, MESSAGE_BYTES);
    for (let got = 0; got < MESSAGE_BYTES;) {
      let length: number | undefined;
      poll.wait(PATIENCE_MS, () => (length = receiveSome(connection, buffer)));
      if (length === 0) return { failed: 1 };
      got += length ?? 0;
    }
    if (i >= 0) timesUs.push((performance.now() - from) * 1000);
  }
  timesUs.sort((a, b) => a - b);
  const quantile = (q: number): number => timesUs[Math.floor(q * (timesUs.length - 1))] ?? 0;
  return { failed: 0, p50Us: quantile(0.5), p99Us: quantile(0.99) };
}

function idle(count: number): object {
  const held: number[] = [];
  const failed = connectMany(
    IDLE_AT_ONCE,
    (started) => started < count,
    (fd) => held.push(fd),
  );
  return { opened: held.length, failed };
}

const say = (result: object): void => void process.stdout.write(`${JSON.stringify(result)}\n`);

switch (mode) {
  case 'connections':
    say(connections(Number(amount), Number(at)));
    break;
  case 'roundtrip':
    say(roundTrips(Number(amount)));
    break;
  case 'idle':
    say(idle(Number(amount)));
    setInterval(() => undefined, 60_000); // holds them
    break;
  default:
    throw new RangeError(`no mode ${mode}`);
}
