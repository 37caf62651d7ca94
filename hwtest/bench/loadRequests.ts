// Load of the bench that is about requests: 1 KiB there and back, one at a time (closed loop), as many
// as go (closed loops side by side), or at a fixed rate whatever comes back (open loop). One thread.
import { closeFd } from '#proxy/native/fd.ts';
import { EPOLL } from '#proxy/native/epoll.ts';
import { PATIENCE_MS, hold, type Target } from './loadConnections.ts';
import { receiveSome, sendSome, startConnecting } from './sockets.ts';
import { createTicker, nowUs, ticksOf } from './ticker.ts';

/** What is not counted: caches and congestion windows grow, and the code of the load is compiled. */
const WARM_UP_US = 300_000;
const MESSAGE_BYTES = 1024;
/** Connections that the requests of `paced` take turns on. */
const PACED_CONNECTIONS = 8;
const buffer = Buffer.alloc(64 << 10);

/** What a load says: requests that failed, and quantiles of the times of the others. */
export interface Answer {
  readonly failed: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
}

/** `count` requests on one connection, each sent when the one before has come back. */
export function roundTrips(target: Target, count: number): Answer {
  const { held, failed } = hold(target, 1);
  const timesUs: number[] = [];
  const [connection] = held;
  if (connection === undefined) return answer(failed, timesUs);
  const countFromUs = nowUs() + WARM_UP_US;
  while (timesUs.length < count) {
    const fromUs = nowUs();
    sendSome(connection, buffer, MESSAGE_BYTES);
    for (let got = 0; got < MESSAGE_BYTES;) {
      let length: number | undefined;
      target.poll.wait(PATIENCE_MS, () => (length = receiveSome(connection, buffer)));
      if (length === 0) return answer(1, timesUs);
      got += length ?? 0;
    }
    if (fromUs >= countFromUs) timesUs.push(nowUs() - fromUs);
  }
  return answer(0, timesUs);
}

/** Every one of `count` connections sends its next request when the one before has come back. */
export function saturate(
  target: Target,
  seconds: number,
  count: number,
): Answer & { readonly perSecond: number } {
  const { held, failed } = hold(target, count);
  const flights = new Map(held.map((fd) => [fd, { sentUs: 0, got: 0 }]));
  const countFromUs = nowUs() + WARM_UP_US;
  const untilUs = countFromUs + seconds * 1e6;
  const timesUs: number[] = [];
  let lost = failed;
  const send = (fd: number): void => {
    flights.set(fd, { sentUs: nowUs(), got: 0 });
    if (sendSome(fd, buffer, MESSAGE_BYTES) !== MESSAGE_BYTES) lost += 1;
  };
  held.forEach(send);
  while (nowUs() < untilUs) {
    target.poll.wait(100, (fd) => {
      const flight = flights.get(fd);
      const length = receiveSome(fd, buffer);
      if (!flight || length === undefined) return;
      if (length === 0) lost += 1; // and its descriptor says nothing any more
      flight.got += length;
      if (flight.got < MESSAGE_BYTES) return;
      const endUs = nowUs();
      if (endUs >= countFromUs) timesUs.push(endUs - flight.sentUs);
      send(fd);
    });
  }
  return { ...answer(lost, timesUs), perSecond: timesUs.length / seconds };
}

/** A connection of `paced`: when each request that is under way was due, and how much has come back. */
interface Line {
  readonly dueUs: number[];
  got: number;
  /** Its only request leaves as soon as it is connected. */
  readonly isFresh: boolean;
  sent: boolean;
}

/**
 * `rate` requests a second at fixed times, so that a request counts what it waited behind others that
 * were late. Every `freshEvery`-th goes over a connection of its own; 0: none does.
 */
export function paced(target: Target, seconds: number, rate: number, freshEvery: number): Answer {
  const { held } = hold(target, PACED_CONNECTIONS);
  if (held.length === 0) return answer(PACED_CONNECTIONS, []);
  const lines = new Map<number, Line>();
  for (const fd of held) lines.set(fd, { dueUs: [], got: 0, isFresh: false, sent: true });
  const everyUs = Math.round(1e6 / rate);
  const startUs = Math.ceil(nowUs()) + WARM_UP_US;
  const ticker = createTicker(startUs, everyUs);
  target.poll.add(ticker, EPOLL.in);
  const timesUs: number[] = [];
  const total = Math.round(seconds * rate);
  let due = 0;
  let failed = 0;

  const lose = (fd: number, line: Line): void => {
    failed += line.dueUs.length;
    lines.delete(fd);
    closeFd(fd);
  };
  const startFresh = (dueUs: number): void => {
    const fd = startConnecting(target.name);
    lines.set(fd, { dueUs: [dueUs], got: 0, isFresh: true, sent: false });
    target.poll.add(fd, EPOLL.in | EPOLL.out | EPOLL.edge);
  };
  const send = (at: number): void => {
    const dueUs = startUs + at * everyUs;
    const fd = held[at % held.length] ?? -1;
    const line = lines.get(fd);
    // A line that was lost may have left its descriptor to a fresh one.
    if (!line || line.isFresh || (freshEvery > 0 && at % freshEvery === 0)) {
      return startFresh(dueUs);
    }
    line.dueUs.push(dueUs);
    if (sendSome(fd, buffer, MESSAGE_BYTES) !== MESSAGE_BYTES) lose(fd, line);
  };
  const onLine = (fd: number, line: Line, events: number): void => {
    if (events & (EPOLL.error | EPOLL.hangup)) return lose(fd, line);
    if (!line.sent) {
      line.sent = true;
      if (sendSome(fd, buffer, MESSAGE_BYTES) !== MESSAGE_BYTES) return lose(fd, line);
    }
    const length = receiveSome(fd, buffer);
    if (length === undefined) return;
    if (length === 0) return lose(fd, line);
    const nowIsUs = nowUs();
    for (line.got += length; line.got >= MESSAGE_BYTES; line.got -= MESSAGE_BYTES) {
      timesUs.push(nowIsUs - (line.dueUs.shift() ?? nowIsUs));
    }
    if (!line.isFresh || line.dueUs.length > 0) return;
    lines.delete(fd);
    closeFd(fd);
  };

  const endUs = startUs + total * everyUs + PATIENCE_MS * 1000;
  while (timesUs.length + failed < total && nowUs() < endUs) {
    target.poll.wait(100, (fd, events) => {
      if (fd === ticker) {
        for (let n = ticksOf(ticker); n > 0 && due < total; n -= 1) send(due++);
        return;
      }
      const line = lines.get(fd);
      if (line) onLine(fd, line, events);
    });
  }
  return answer(total - timesUs.length, timesUs);
}

function answer(failed: number, timesUs: number[]): Answer {
  timesUs.sort((a, b) => a - b);
  const at = (q: number): number => timesUs[Math.floor(q * (timesUs.length - 1))] ?? 0;
  return { failed, p50Us: at(0.5), p99Us: at(0.99), p999Us: at(0.999) };
}
