// Runs inside a server pod of the bench: sends back what it gets, closes when the client does, until it
// is killed. Usage: echo.ts PORT
import { closeFd } from '#proxy/native/fd.ts';
import { tcpListener } from '#proxy/native/socket.ts';
import { EPOLL, Epoll } from '#proxy/native/epoll.ts';
import { FAILED, transmit } from '#proxy/native/stream.ts';
import { acceptNext, receiveSome } from './sockets.ts';

const [port = '0'] = process.argv.slice(2);
const listener = tcpListener('0.0.0.0', Number(port));
const poll = new Epoll();
const buffer = Buffer.alloc(64 << 10);
poll.add(listener, EPOLL.in);

function accept(): void {
  for (let fd = acceptNext(listener); fd !== undefined; fd = acceptNext(listener)) {
    poll.add(fd, EPOLL.in);
  }
}

/** What a client has yet to take, by its connection: as long, nothing more is read from it. */
const unsent = new Map<number, Buffer>();

function echo(fd: number): void {
  const length = receiveSome(fd, buffer);
  if (length === undefined) return;
  if (length === 0) closeFd(fd);
  else sendBack(fd, buffer.subarray(0, length));
}

function sendBack(fd: number, bytes: Buffer): void {
  const sent = transmit(fd, bytes, false);
  if (sent === bytes.length) return;
  if (sent === FAILED) return closeFd(fd);
  unsent.set(fd, Buffer.from(bytes.subarray(Math.max(0, sent))));
  poll.remove(fd);
  poll.add(fd, EPOLL.out);
}

function goOn(fd: number, bytes: Buffer): void {
  unsent.delete(fd);
  poll.remove(fd);
  poll.add(fd, EPOLL.in);
  sendBack(fd, bytes);
}

for (;;) {
  poll.wait(-1, (fd) => {
    if (fd === listener) return accept();
    const bytes = unsent.get(fd);
    if (bytes) goOn(fd, bytes);
    else echo(fd);
  });
}
