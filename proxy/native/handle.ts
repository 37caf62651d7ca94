// Node's private handles: the one place that casts to them.
import type { Socket } from 'node:net';

/** Node's stream wraps (lib/net.js, src/stream_base.h) as far as they are used here. */
interface StreamHandle {
  readonly fd: number;
}

/** The descriptor of a live socket, -1 when it has none (closed, or not yet connecting). */
export const fdOf = (socket: Socket): number =>
  (socket as Socket & { readonly _handle: StreamHandle | null })._handle?.fd ?? -1;
