// The data plane's link to one control plane: messages both ways, and the descriptors that some of
// them announce. The control plane is trusted; what breaks the framing is a defect.
import { Socket } from 'node:net';
import { TidelockError } from '#agent/base/errors.ts';
import { Channel } from './channel.ts';
import { MAX_CONTROL_FRAME_BYTES, type DataMessage } from './control.ts';
import type { Ends } from './door.ts';
import { closeFd } from '#proxy/native/fd.ts';
import { receiveFds } from '#proxy/native/fdpass.ts';

const MAX_QUEUED_BYTES = 1 << 20;

export interface LinkReports {
  frame(frame: Buffer): void;
  /** The control plane has ended; with an error if it said what is no frame. */
  gone(error: TidelockError | undefined): void;
}

export class ControlLink {
  readonly #channel: Channel<DataMessage>;
  readonly #fds: number;
  #isGreeted = false;

  /** Owns both descriptors. */
  constructor({ channel, fds }: Omit<Ends, 'words'>, reports: LinkReports) {
    this.#fds = fds;
    this.#channel = new Channel(new Socket({ fd: channel }), {
      maxFrameBytes: MAX_CONTROL_FRAME_BYTES,
      maxQueuedBytes: MAX_QUEUED_BYTES,
      onFrame: (frame) => reports.frame(frame),
      onClose: (error) => {
        closeFd(fds);
        // A control plane that was killed with messages unread leaves ECONNRESET: an end like any other.
        reports.gone(error instanceof TidelockError ? error : undefined);
      },
    });
  }

  /**
   * False before the hello, and nothing is sent: a control plane that takes this process over may come
   * at any moment, and takes nothing of a process that has not said which version it speaks.
   */
  send(message: DataMessage): boolean {
    this.#isGreeted ||= message.type === 'hello';
    if (this.#isGreeted) this.#channel.send(message);
    return this.#isGreeted;
  }

  /** What `say` sends leaves in one system call. */
  together(say: () => void): void {
    this.#channel.together(say);
  }

  /**
   * The descriptors announced under `ticket`: they are sent before the announcement, in its order. None
   * where this process may open no more.
   * Errors: CONTROL_MALFORMED, SYSCALL_FAILED.
   */
  takeFds(ticket: number): readonly number[] {
    const passed = receiveFds(this.#fds);
    if (passed?.ticket === ticket) return passed.fds;
    throw new TidelockError('CONTROL_MALFORMED', {
      op: 'plane.take',
      message: `Cannot take descriptors of ticket ${ticket}: ${passed === undefined ? 'none wait' : `ticket ${passed.ticket} is next`}`,
      hint: 'This is a defect in tidelock; the data plane starts anew. Please report it with the log.',
    });
  }
}
