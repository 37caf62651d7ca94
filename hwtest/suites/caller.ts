// Runs inside a server pod: tells each connection whom it sees as its peer, and echoes what it gets. It
// listens at every address of both families by one socket. Usage: caller.ts PORT
import { createServer } from 'node:net';

const [port = '0'] = process.argv.slice(2);

createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  socket.on('error', () => undefined); // a client that resets is its own business
  socket.write(`${socket.remoteAddress} ${socket.remotePort}\n`);
  socket.pipe(socket);
}).listen(Number(port), '::');
