// Node a's end of a lane, led by hand: the right bytes to node b's lane port from a plain socket, for tests
// that change some of them, and the same bytes under whatever keys a forger has.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { KeyRing, type Sending } from '#proxy/keyRing.ts';
import { openReply, sealOpening, type Opening, type Replied } from '#proxy/laneOpening.ts';
import { tokenFor } from '#proxy/routes.ts';
import type { Endpoint } from '#proxy/see/address.ts';
import type { FrameType } from '#proxy/see/frames.ts';
import { frameKeys } from '#proxy/see/keys.ts';
import { MODE, REPLY_BYTES, type Mode } from '#proxy/see/opening.ts';
import { FrameSealer } from '#proxy/see/sealer.ts';
import type { TwoNodes } from '#proxy/twoNodes.fixture.ts';

export class Hand {
  readonly #two: TwoNodes;

  constructor(two: TwoNodes) {
    this.#two = two;
  }

  /** What node a seals with towards node b now. */
  sending(): Sending {
    const { clock, a, b } = this.#two;
    const ring = new KeyRing();
    ring.replace(this.#two.snapshot(a, b), clock.wallMs());
    const sending = ring.sending(b.name);
    if ('refused' in sending) throw new Error(sending.refused);
    return sending;
  }

  /** The opening of a lane of node a's pod to `destination`, under `sending`. */
  opening(destination: Endpoint, sending = this.sending(), mode: Mode = MODE.tunnel): Opening {
    const { clock, a } = this.#two;
    const token = tokenFor(a.pod(sending.slot), sending.own.sid, sending.slot);
    if (!token) throw new Error('no token');
    const block = {
      token: token.token,
      endorsement: token.endorsement,
      destination,
      client: { address: a.podIp, port: 40_000 },
      sentMs: Math.floor(clock.wallMs()),
      lineage: Buffer.alloc(0),
    };
    return sealOpening(sending, block, randomBytes(16), mode);
  }

  /** A connection to node b's lane port. */
  async dial(): Promise<Socket> {
    const socket = connect({ port: this.#two.b.lanePort, host: '127.0.0.1', allowHalfOpen: true });
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    return socket;
  }

  /** A lane that node b has accepted, with what seals the frames of the client after kind 0. */
  async lane(destination: Endpoint): Promise<HandLane> {
    const opening = this.opening(destination);
    const wire = await this.dial();
    const heard: Buffer[] = [];
    const replied = new Promise<void>((resolve) => {
      wire.on('data', (bytes: Buffer) => {
        heard.push(bytes);
        if (Buffer.concat(heard).length >= REPLY_BYTES) resolve();
      });
    });
    wire.write(opening.bytes);
    await replied;
    const reply = openReply(opening, Buffer.concat(heard));
    if (!reply || reply.reply.denied) throw new Error('no lane');
    return { wire, opening, reply, heard };
  }
}

/** A lane by hand: everything but the application. */
export interface HandLane {
  readonly wire: Socket;
  readonly opening: Opening;
  readonly reply: Replied;
  /** What node b has sent, the reply first. */
  readonly heard: readonly Buffer[];
}

/** Seals frames of any type under `secret`, from counter 0 on; each is a copy. */
export function sealerOf(secret: Buffer): (type: number, data: Buffer) => Buffer {
  const sealer = new FrameSealer('AES-256-GCM', frameKeys(secret));
  return (type, data) => Buffer.from(sealer.frame(type as FrameType, data));
}
