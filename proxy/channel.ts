// The byte form of control messages: a JSON header and binary attachments, so that secrets travel as
// bytes that can be overwritten and never as text. Knows no message type and trusts no length.
import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import { TidelockError } from '#agent/base/errors.ts';
import type { ToldSnapshot } from './snapshot.ts';

/** Frame: `headerLen 4 | attachmentsLen 4 | header (JSON) | attachments`, integers big-endian. */
const PREFIX_BYTES = 8;
/** In the header an attachment is the object `{"$bytes": [offset, length]}` and nothing else. */
const REFERENCE = '$bytes';

/** One message as a frame of its own memory; Uint8Arrays become attachments, copied. */
export function encodeFrame(message: object): Buffer {
  const attachments: Uint8Array[] = [];
  let size = 0;
  const attach = (bytes: Uint8Array): object => {
    attachments.push(bytes);
    size += bytes.length;
    return { [REFERENCE]: [size - bytes.length, bytes.length] };
  };
  const header = Buffer.from(JSON.stringify(replaceBytes(message, attach)));
  const frame = Buffer.alloc(PREFIX_BYTES + header.length + size);
  frame.writeUInt32BE(header.length, 0);
  frame.writeUInt32BE(size, 4);
  header.copy(frame, PREFIX_BYTES);
  let at = PREFIX_BYTES + header.length;
  for (const bytes of attachments) {
    frame.set(bytes, at);
    at += bytes.length;
  }
  return frame;
}

/**
 * The message in `frame`; its byte strings are Buffers inside `frame`, so that overwriting the frame
 * wipes all of them. Errors: CONTROL_MALFORMED.
 */
export function decodeFrame(frame: Uint8Array): unknown {
  const view = Buffer.from(frame.buffer, frame.byteOffset, frame.length);
  if (frame.length < PREFIX_BYTES || frame.length !== frameBytes(view))
    throw malformed('its length is not what it says');
  const headerEnd = PREFIX_BYTES + view.readUInt32BE(0);
  const attachments = view.subarray(headerEnd);
  try {
    return resolved(JSON.parse(view.toString('utf8', PREFIX_BYTES, headerEnd)), attachments);
  } catch (cause) {
    throw cause instanceof TidelockError ? cause : malformed('its header is not JSON', cause);
  }
}

/** The value with its references replaced in place. By a reviver a snapshot takes three times as long. */
function resolved(value: unknown, attachments: Buffer): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (isReference(value)) return resolve(attachments, value[REFERENCE]);
  const holder = value as Record<string, unknown>; // of an array the keys are its indices
  for (const key in holder) {
    const before = holder[key];
    if (typeof before !== 'object' || before === null) continue;
    if (key === '__proto__') throw malformed('it has a key that no message has');
    const after = resolved(before, attachments);
    if (after !== before) holder[key] = after;
  }
  return value;
}

const SNAPSHOT_BEGINS = '{"type":"snapshot"';

/** Whether a frame of encodeFrame() is a `snapshot`, for who only passes it on: most are large. */
export const isSnapshotFrame = (frame: Buffer): boolean =>
  frame.toString('latin1', PREFIX_BYTES, PREFIX_BYTES + SNAPSHOT_BEGINS.length) === SNAPSHOT_BEGINS;

/** The snapshot in a `snapshot` frame; only for frames of the control plane, which is trusted. */
export const snapshotOf = (frame: Uint8Array): ToldSnapshot =>
  (decodeFrame(frame) as { readonly snapshot: ToldSnapshot }).snapshot;

/** Cuts a byte stream into frames, each copied to memory of its own. */
export class FrameReader {
  readonly #maxBytes: number;
  readonly #prefix = Buffer.alloc(PREFIX_BYTES);
  #prefixFill = 0;
  #frame: Buffer | undefined;
  #fill = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Takes the next bytes and hands each completed frame on. Errors: CONTROL_MALFORMED. */
  push(chunk: Uint8Array, onFrame: (frame: Buffer) => void): void {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#frame === undefined) {
        const take = rest.subarray(0, PREFIX_BYTES - this.#prefixFill);
        this.#prefix.set(take, this.#prefixFill);
        this.#prefixFill += take.length;
        rest = rest.subarray(take.length);
        if (this.#prefixFill < PREFIX_BYTES) return;
        this.#begin();
      }
      const frame = this.#frame;
      if (frame === undefined) return;
      const take = rest.subarray(0, frame.length - this.#fill);
      frame.set(take, this.#fill);
      this.#fill += take.length;
      rest = rest.subarray(take.length);
      if (this.#fill === frame.length) {
        this.#frame = undefined;
        this.#prefixFill = 0;
        onFrame(frame);
      }
    }
  }

  #begin(): void {
    const total = frameBytes(this.#prefix);
    if (total > this.#maxBytes) throw malformed(`${total} bytes, at most ${this.#maxBytes}`);
    this.#frame = Buffer.alloc(total);
    this.#frame.set(this.#prefix);
    this.#fill = PREFIX_BYTES;
  }
}

/** One end of the message stream. It closes when the other end does or sends what is no frame. */
export class Channel<Out extends object> {
  readonly #socket: Socket;
  readonly #maxQueuedBytes: number;

  /** `onClose` is called once, with an error if the peer broke the framing. */
  constructor(
    socket: Socket,
    options: {
      readonly maxFrameBytes: number;
      /** Bytes that may wait for a peer that does not read. */
      readonly maxQueuedBytes: number;
      readonly onFrame: (frame: Buffer) => void;
      readonly onClose: (error?: Error) => void;
    },
  ) {
    this.#socket = socket;
    this.#maxQueuedBytes = options.maxQueuedBytes;
    const reader = new FrameReader(options.maxFrameBytes);
    let failure: Error | undefined;
    socket.on('data', (chunk: Buffer) => {
      try {
        reader.push(chunk, options.onFrame);
      } catch (error) {
        failure = error instanceof Error ? error : new Error(String(error));
        socket.destroy();
      } finally {
        chunk.fill(0); // a stream chunk may hold slot keys; frames were copied out of it
      }
    });
    socket.on('error', (error) => {
      failure ??= error;
    });
    socket.once('close', () => options.onClose(failure));
  }

  /**
   * Sends one message and wipes its frame once the kernel has it. False: the peer does not read. To
   * a peer that is gone nothing is sent; onClose has said so.
   */
  send(message: Out): boolean {
    if (this.#socket.destroyed) return true;
    if (this.#socket.writableLength > this.#maxQueuedBytes) return false;
    const frame = encodeFrame(message);
    this.#socket.write(frame, () => frame.fill(0));
    return true;
  }

  /** What `say` sends leaves in one system call: the other end wakes up once. */
  together(say: () => void): void {
    this.#socket.cork();
    try {
      say();
    } finally {
      this.#socket.uncork();
    }
  }

  close(): void {
    this.#socket.destroy();
  }
}

const frameBytes = (prefix: Buffer): number =>
  PREFIX_BYTES + prefix.readUInt32BE(0) + prefix.readUInt32BE(4);

function replaceBytes(value: unknown, attach: (bytes: Uint8Array) => object): unknown {
  if (value instanceof Uint8Array) return attach(value);
  if (Array.isArray(value)) return value.map((item) => replaceBytes(item, attach));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, replaceBytes(item, attach)]),
  );
}

const isReference = (value: unknown): value is { readonly [REFERENCE]: unknown } =>
  typeof value === 'object' && value !== null && REFERENCE in value;

function resolve(attachments: Uint8Array, reference: unknown): Uint8Array {
  const [offset, length] = Array.isArray(reference) ? (reference as unknown[]) : [];
  if (
    !Number.isSafeInteger(offset) ||
    !Number.isSafeInteger(length) ||
    (offset as number) < 0 ||
    (length as number) < 0 ||
    (offset as number) + (length as number) > attachments.length
  ) {
    throw malformed('an attachment lies outside the frame');
  }
  return attachments.subarray(offset as number, (offset as number) + (length as number));
}

const malformed = (state: string, cause?: unknown): TidelockError =>
  new TidelockError('CONTROL_MALFORMED', {
    op: 'control.decode',
    message: `Cannot read control frame: ${state}`,
    hint: 'Control plane and data plane are of different versions, or the data plane was taken over; it is ended and started anew.',
    cause,
  });
