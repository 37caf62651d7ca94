// Runs inside a pod or node namespace: connects, sends what it is told (hex), waits for the end, and
// prints `{"received","ms","end"}`. Usage: stranger.ts ADDRESS PORT HEX
import { connect } from 'node:net';

const [address = '', port = '0', payload = ''] = process.argv.slice(2);
const from = performance.now();
let received = 0;
let end = 'fin';
const socket = connect(Number(port), address, () => {
  if (payload !== '') socket.write(Buffer.from(payload, 'hex'));
});
socket.on('data', (data) => {
  received += data.length;
});
socket.on('error', (error: NodeJS.ErrnoException) => {
  end = error.code ?? 'error';
});
socket.once('close', () => {
  process.stdout.write(
    `${JSON.stringify({ received, ms: Math.round(performance.now() - from), end })}\n`,
  );
});
