// Runs in a server pod: answers each message of its WebSocket clients with the same. Usage:
// webSocketServer.ts PORT
import { WebSocketServer, type RawData } from 'ws';

const [port = ''] = process.argv.slice(2);

new WebSocketServer({ port: Number(port), host: '0.0.0.0' }).on('connection', (socket) => {
  socket.on('error', () => undefined); // a client that is gone is its own business
  socket.on('message', (message: RawData, isBinary: boolean) =>
    socket.send(message, { binary: isBinary }),
  );
});
