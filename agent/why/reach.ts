// Whether a TCP port takes a connection: one attempt, closed at once without a byte.
import { connect } from 'node:net';

/**
 * What kept a connection to `address` and `port` from being taken within `timeoutMs`, or nothing. The
 * agent there counts it as a stranger that said nothing.
 */
export function reach(
  { address, port }: { readonly address: string; readonly port: number },
  timeoutMs: number,
): Promise<{ readonly problem?: string }> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    const done = (problem?: string): void => {
      socket.destroy();
      resolve(problem === undefined ? {} : { problem });
    };
    socket.setTimeout(timeoutMs, () => done(`no answer within ${timeoutMs / 1000} s`));
    socket.once('connect', () => done());
    socket.once('error', (cause) => done(cause.message));
  });
}
