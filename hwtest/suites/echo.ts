// Runs inside a server pod: echoes what it gets, half-open until the client has finished. Usage: echo.ts PORT
import { createServer } from 'node:net';

const [port = '0'] = process.argv.slice(2);

createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  socket.on('error', () => undefined); // a client that resets is its own business
  socket.pipe(socket);
}).listen(Number(port), '0.0.0.0');
