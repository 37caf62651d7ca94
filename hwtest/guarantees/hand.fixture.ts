// Node a's end of a lane, led by hand: the right bytes to node b's lane port from a plain socket, for tests
// that change some of them, and the same bytes under whatever keys a forger has.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { KeyRing, type Sending } from '#proxy/keyRing.ts';
import { LaneSender } from '#proxy/laneKeys.ts';
import { openReply, sealOpening, type Opening } from '#proxy/laneOpening.ts';
import { tokenFor } from '#proxy/routes.ts';
import type { Endpoint } from '#proxy/see/address.ts';
import type { FrameType } from '#proxy/see/frames.ts';
import { MODE, REPLY_BYTES, SALT_BYTES, type Mode } from '#proxy/see/opening.ts';
import type { TwoNodes } from '#proxy/twoNodes.fixture.ts';

export class Hand {
  readonly #two: TwoNodes;
  readonly #ring = new KeyRing();

  constructor(two: TwoNodes) {
    this.#two = two;
  }

  /** Is told what node a is; its lanes update their keys with what they send next. */
  tell(): void {
    this.#ring.replace(this.#two.snapshot(this.#two.a, this.#two.b), this.#two.clock.wallMs());
  }

  /** What node a seals with towards node b now. */
  sending(): Sending {
    this.tell();
    const sending = this.#ring.sending(this.#two.b.name);
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

  /** A lane that node b has accepted. */
  async lane(destination: Endpoint): Promise<HandLane> {
    const opening = this.opening(destination);
    const wire = await this.dial();
    const lane = new HandLane(this.#ring, wire, opening);
    wire.write(opening.bytes);
    await lane.accepted;
    return lane;
  }
}

/** A lane by hand: everything but the application. */
export class HandLane {
  readonly wire: Socket;
  readonly opening: Opening;
  /** Resolves when node b has accepted it. */
  readonly accepted: Promise<void>;
  readonly closed: Promise<void>;
  readonly #sender: LaneSender;
  #heard: Buffer = Buffer.alloc(0);

  constructor(ring: KeyRing, wire: Socket, opening: Opening) {
    const { start, secret, sealer } = opening;
    this.wire = wire;
    this.opening = opening;
    this.#sender = new LaneSender(ring, start, {
      secret,
      sealer,
      isEarly: true,
      updated: () => undefined,
    });
    this.closed = new Promise((resolve) => {
      wire.once('close', () => resolve());
    });
    this.accepted = new Promise((resolve, reject) => {
      wire.on('data', (bytes: Buffer) => {
        const isNew = this.#heard.length < REPLY_BYTES;
        this.#heard = Buffer.concat([this.#heard, bytes]);
        if (!isNew || this.#heard.length < REPLY_BYTES) return;
        const replied = openReply(opening, this.#heard);
        if (replied && !replied.reply.denied) {
          this.#sender.begin(replied.c2s);
          resolve();
        } else reject(new Error('no lane'));
      });
    });
  }

  /** The first 16 bytes that node b has sent. */
  get replySalt(): Buffer {
    return this.#heard.subarray(0, SALT_BYTES);
  }

  /** What node b has sent behind its reply. */
  get heard(): Buffer {
    return this.#heard.subarray(REPLY_BYTES);
  }

  /** The next frame of the client, after the KEYUPDATE that is due before it; of any type, known or not. */
  seal(type: number, data: string | Buffer = ''): Buffer {
    const frames: Buffer[] = [];
    this.#sender.seal(type as FrameType, Buffer.from(data), (frame) => {
      frames.push(Buffer.from(frame));
    });
    return Buffer.concat(frames);
  }
}
