// Runs inside a pod with CAP_NET_RAW: sets SO_MARK on a socket, connects, asks for /canary over HTTP and
// prints what came back. Usage: marked.ts ADDRESS PORT MARK
import { Socket } from 'node:net';
import koffi from 'koffi';
import { tcpSocket } from '#proxy/native/socket.ts';

const [address = '', port = '0', mark = '0'] = process.argv.slice(2);
const SOL_SOCKET = 1;
const SO_MARK = 36;
const setsockopt = koffi
  .load('libc.so.6')
  .func('int setsockopt(int fd, int level, int name, const int *value, uint length)');

const fd = tcpSocket(4);
if (setsockopt(fd, SOL_SOCKET, SO_MARK, [Number(mark)], 4) !== 0) {
  throw new Error('SO_MARK was refused: this pod has no CAP_NET_RAW');
}
const socket = new Socket({ fd });
socket.connect(Number(port), address, () => {
  socket.end(`GET /canary HTTP/1.0\r\nHost: ${address}\r\n\r\n`);
});
socket.on('error', (error) => process.stdout.write(`error ${error.message}\n`));
socket.pipe(process.stdout);
