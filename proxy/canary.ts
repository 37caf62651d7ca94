// The canary: a lane that the agents of two nodes open to each other, to know that lanes work. It takes
// the way of every lane (chain, pair secret, replay set, reply, frames both ways, half-close) but speaks
// for no workload: no MAID, no policy, no pod. What it carries is echoed and reaches nothing else.
import { Buffer } from 'node:buffer';
import type { NodeName } from '#agent/base/brands.ts';
import { equal } from '#agent/base/bytes.ts';
import { canonicalAddress } from '#proxy/see/address.ts';
import { MODE, SALT_BYTES, type OpenBlock } from '#proxy/see/opening.ts';
import { enter, leave } from './carry.ts';
import { dial } from './dial.ts';
import type { Floor } from './floor.ts';
import { InnerSide, type Defer } from './innerSide.ts';
import { Lane } from './lane.ts';
import { LaneSender } from './laneKeys.ts';
import { sealOpening, type Opening } from './laneOpening.ts';
import type { Leg } from './leg.ts';
import { Passage } from './passage.ts';
import { ReplyReader } from './replyReader.ts';

/** After this both ends are given up. */
export const CANARY_MS = 5000;
const SONG_BYTES = 64;

/** Told once: undefined when all came back and both ends closed in order, else one clause. */
type Told = (failed: string | undefined, tookMs: number) => void;

/** Opens a lane to the agent of `node`, sends a few random bytes and waits for them. */
export function sendCanary(floor: Floor, node: NodeName, told: Told): void {
  const { clock } = floor;
  const startedMs = clock.monoMs();
  let abort: (() => void) | undefined;
  let isOver = false;
  const finish = (failed?: string): void => {
    if (isOver) return;
    isOver = true;
    cancel();
    abort?.();
    told(failed?.slice(0, 200), Math.round(clock.monoMs() - startedMs));
  };
  const cancel = clock.after(CANARY_MS, () => finish(`not back within ${CANARY_MS} ms`));
  const peer = floor.routes().peer(node);
  if (!peer || !canonicalAddress(peer.address)) {
    finish(`the address of ${node} is not known`);
    return;
  }
  abort = dial(floor.reactor, clock, peer, {
    failed: finish,
    connected: (wire) => {
      const opening = seal(floor, node);
      if (typeof opening === 'string') {
        wire.destroy();
        finish(opening);
        return;
      }
      const lane = sing(floor, wire, opening, finish);
      abort = () => lane.cut('shutdown');
    },
  });
}

/** The end of a canary at the node that was asked: echoes as much as a canary has to say. */
export function answerSide(defer: Defer): InnerSide {
  let heard = 0;
  const side: InnerSide = new InnerSide(defer, {
    data: (bytes) => {
      heard += bytes.length;
      if (heard <= SONG_BYTES) side.owner.data(bytes);
      else side.reset();
    },
    end: () => side.finish(),
  });
  return side;
}

/** At the end of the turn. */
export const deferring =
  ({ reactor }: Floor): Defer =>
  (act) =>
    reactor.late({ run: act });

const NOBODY = { address: '0.0.0.0', port: 0 };
const NOTHING = Buffer.alloc(0);

/** Whether an open block is that of a canary: of nobody, to nobody (PROTOCOL 8). */
export const isCanaryBlock = ({
  token,
  endorsement,
  lineage,
  destination,
  client,
}: OpenBlock): boolean =>
  token.length + endorsement.length + lineage.length === 0 &&
  [destination, client].every(({ address, port }) => address === NOBODY.address && port === 0);

/** The opening under the keys of this moment, or why there is none. */
function seal({ ring, routes, slots, randomBytes }: Floor, node: NodeName): Opening | string {
  const objection = routes().objection({ podUids: [], peer: node });
  if (objection) return objection.detail;
  const sending = ring.sending(node);
  if ('refused' in sending) return sending.refused;
  const block: OpenBlock = {
    token: NOTHING,
    endorsement: NOTHING,
    destination: NOBODY,
    client: NOBODY,
    sentMs: Math.floor(slots.timeMs()),
    lineage: NOTHING,
  };
  return sealOpening(sending, block, randomBytes(SALT_BYTES), MODE.canary);
}

/** Sends the song in the first flight; `ended` is told how it went. */
function sing(floor: Floor, wire: Leg, opening: Opening, ended: (failed?: string) => void): Lane {
  const song = floor.randomBytes(SONG_BYTES);
  let echo = NOTHING;
  let refusal = '';
  const side: InnerSide = new InnerSide(deferring(floor), {
    data: (bytes) => {
      echo = Buffer.concat([echo, bytes]).subarray(0, SONG_BYTES + 1);
      if (echo.length > SONG_BYTES) side.reset(); // a peer that sings on
      else if (echo.length === SONG_BYTES) side.finish();
    },
    end: () => side.finish(),
  });
  const passage = new Passage(floor, { direction: 'out' }, undefined, opening.start.chain);
  const reader = new ReplyReader(floor, opening, {
    accepted: () => undefined,
    refused: (reason, detail) => {
      refusal = `${reason}: ${detail}`;
    },
  });
  const lane: Lane = new Lane({
    app: side,
    wire,
    sender: new LaneSender(floor.ring, opening.start, {
      secret: opening.secret,
      sealer: opening.sealer,
      isEarly: true,
      updated: (chain) => passage.rekeyed(chain),
    }),
    standing: { podUids: [], peer: opening.start.peer.node },
    passage,
    clock: floor.clock,
    free: undefined,
    reply: (bytes) => reader.take(lane, bytes),
    done: (how, detail) => {
      leave(floor, lane);
      reader.close(how);
      if (how !== 'clean') ended(refusal || [how, detail].filter(Boolean).join(': '));
      else ended(equal(echo, song) ? undefined : 'what came back is not what was sent');
    },
  });
  enter(floor, lane);
  reader.start(lane);
  wire.write(opening.bytes);
  lane.send(song);
  return lane;
}
