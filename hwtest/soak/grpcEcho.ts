// The gRPC service of the soak: one method that answers a message, one that answers a stream. Messages
// are bytes, so that no schema has to be compiled.
import type { ServiceDefinition } from '@grpc/grpc-js';

const asIs = (message: Buffer): Buffer => message;
const bytes = {
  requestSerialize: asIs,
  requestDeserialize: asIs,
  responseSerialize: asIs,
  responseDeserialize: asIs,
};

export const ECHO = {
  unary: { path: '/soak.Echo/Unary', requestStream: false, responseStream: false, ...bytes },
  stream: { path: '/soak.Echo/Stream', requestStream: true, responseStream: true, ...bytes },
} as const satisfies ServiceDefinition;
