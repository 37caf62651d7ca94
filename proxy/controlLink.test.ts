import { describe, expect, test, vi } from 'vitest';
import { decodeFrame, encodeFrame, FrameReader } from './channel.ts';
import { CONTROL_VERSION, MAX_DATA_FRAME_BYTES } from './control.ts';
import { ControlLink } from './controlLink.ts';
import { closeFd } from '#proxy/native/fd.ts';
import { sendFds } from '#proxy/native/fdpass.ts';
import { socketPair } from '#proxy/native/socket.ts';
import { Socket } from 'node:net';

interface Other {
  readonly link: ControlLink;
  /** The control plane's ends. */
  readonly channel: Socket;
  readonly fds: number;
  readonly frames: Buffer[];
  readonly gone: Promise<Error | undefined>;
}

function linked(): Other {
  const [channel, theirChannel] = socketPair('stream');
  const [fds, theirFds] = socketPair('seqpacket');
  const frames: Buffer[] = [];
  const { promise: gone, resolve } = Promise.withResolvers<Error | undefined>();
  const link = new ControlLink(
    { channel, fds },
    { frame: (frame) => frames.push(frame), gone: resolve },
  );
  return { link, channel: new Socket({ fd: theirChannel }), fds: theirFds, frames, gone };
}

const HELLO = { type: 'hello', version: CONTROL_VERSION, workers: 1, spares: 0 } as const;

describe('ControlLink', () => {
  test('send() says nothing before the hello, and says so', async () => {
    const { link, channel, fds } = linked();
    const counts = { type: 'asymmetric', total: 1, tokens: 0 } as const;
    const heard: unknown[] = [];
    const reader = new FrameReader(MAX_DATA_FRAME_BYTES);
    channel.on('data', (chunk: Buffer) =>
      reader.push(chunk, (frame) => heard.push(decodeFrame(frame))),
    );
    expect(link.send(counts)).toBe(false);
    expect(link.send(HELLO)).toBe(true);
    expect(link.send(counts)).toBe(true);
    await vi.waitFor(() => expect(heard).toEqual([HELLO, counts]));
    channel.destroy();
    closeFd(fds);
  });

  test('gone() has no error when the control plane ends, even with messages unread', async () => {
    const { link, channel, fds, gone } = linked();
    link.send(HELLO);
    channel.destroy();
    expect(await gone).toBeUndefined();
    closeFd(fds);
  });

  test('gone() says so when the control plane sends what is no frame', async () => {
    const { channel, fds, gone } = linked();
    channel.write(Buffer.alloc(64, 0xff));
    expect(await gone).toMatchObject({ code: 'CONTROL_MALFORMED' });
    channel.destroy();
    closeFd(fds);
  });

  test('takeFds() gives what was sent under a ticket, and refuses another ticket', async () => {
    const { link, channel, fds, gone, frames } = linked();
    sendFds(fds, 7, [fds]);
    channel.write(encodeFrame({ type: 'listener', ticket: 7 }));
    const passed = link.takeFds(7);
    expect(passed).toHaveLength(1);
    passed.forEach(closeFd);
    expect(() => link.takeFds(8)).toThrow(/ticket 8: none wait/);
    sendFds(fds, 9, [fds]);
    expect(() => link.takeFds(8)).toThrow(/ticket 9 is next/);
    channel.end();
    await gone;
    expect(frames).toHaveLength(1);
    closeFd(fds);
  });
});
