// Runs inside a server pod of the bench: sends back what it gets, closes when the client does, until it
// is killed. Usage: echo.ts PORT
import { closeFd } from '#proxy/native/fd.ts';
import { tcpListener } from '#proxy/native/socket.ts';
import { EPOLL, Epoll } from '#proxy/native/epoll.ts';
import { acceptNext, receiveSome, sendSome } from './sockets.ts';

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

function echo(fd: number): void {
  const length = receiveSome(fd, buffer);
  if (length === undefined) return;
  // What does not fit the socket at once is more than any load of the bench has under way.
  if (length === 0 || sendSome(fd, buffer, length) !== length) closeFd(fd);
}

for (;;) poll.wait(-1, (fd) => (fd === listener ? accept() : echo(fd)));
