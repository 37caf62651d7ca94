// Runs in a server pod: answers each message of its gRPC clients with the same. Usage: grpcServer.ts PORT
import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { ECHO } from './grpcEcho.ts';

const [port = ''] = process.argv.slice(2);

const server = new Server();
server.addService(ECHO, {
  unary: (call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) =>
    answer(null, call.request),
  stream: (call: ServerDuplexStream<Buffer, Buffer>) => {
    call.on('error', () => undefined); // a client that is gone is its own business
    call.on('data', (message: Buffer) => call.write(message));
    call.on('end', () => call.end());
  },
});
server.bindAsync(`0.0.0.0:${port}`, ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
});
