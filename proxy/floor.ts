// What the connections of one worker share: keys, routes, sockets into pods, counters, and where to
// say what happened. Made by worker.ts; the connections only use it.
import type { Clock } from '#agent/base/clock.ts';
import type { SlotClock } from '#proxy/chips/slotClock.ts';
import type { Endpoint } from '#proxy/see/address.ts';
import type { Family } from './control.ts';
import type { Conversation } from './conversation.ts';
import type { CounterRow } from './counters.ts';
import type { LaneClosed, LaneEvent, LaneRefused } from './facts.ts';
import type { KeyRing } from './keyRing.ts';
import type { MaidDesk } from './maidDesk.ts';
import type { Quota } from './quota.ts';
import type { Reactor } from './reactor.ts';
import type { ReplaySet } from './replay.ts';
import type { Routes } from './routes.ts';
import type { SocketPool } from './socketPool.ts';
import type { Strangers } from './strangers.ts';
import type { Whereabouts } from './whereabouts.ts';
import type { Wires } from './wires.ts';

export interface Floor {
  /** This worker's index. */
  readonly worker: number;
  readonly clock: Clock;
  readonly reactor: Reactor;
  readonly slots: SlotClock;
  readonly ring: KeyRing;
  /** Of the present snapshot. */
  readonly routes: () => Routes;
  readonly replay: Pick<ReplaySet, 'testAndSet'>;
  /** Whose the addresses are that these do not name. */
  readonly whereabouts: Whereabouts;
  readonly maids: MaidDesk;
  readonly pool: SocketPool;
  readonly strangers: Strangers;
  /** Of what pods connect to, by pod uid. */
  readonly podQuota: Quota;
  /** Of what connects to pods, by pod uid: it takes nothing from what they may open themselves. */
  readonly calledQuota: Quota;
  /** Of lanes both ways, by node name. */
  readonly peerQuota: Quota;
  readonly wires: Wires;
  /** Nothing new is begun. */
  readonly isDraining: () => boolean;
  readonly counters: CounterRow;
  /** Cryptographic randomness. */
  readonly randomBytes: (length: number) => Buffer;
  /** Where an accepted connection went before the redirect; undefined: it was not redirected. */
  readonly originalDestination: (fd: number, family: Family) => Endpoint | undefined;
  /** The number of the next passage. */
  readonly nextNumber: () => number;
  /** One more, or one fewer, is on its way to a conversation: a drain waits for it. */
  readonly opening: (change: 1 | -1) => void;
  /** Says what happened, unless too much did; the time is added. */
  readonly report: (
    kind: LaneEvent['kind'],
    tell: () => Omit<LaneClosed, 'at'> | Omit<LaneRefused, 'at'>,
  ) => void;
  /** From here on the conversation is judged under each snapshot, until it leaves. */
  readonly enter: (conversation: Conversation) => void;
  readonly leave: (conversation: Conversation) => void;
}
