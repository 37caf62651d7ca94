// How a connection joins the floor and leaves it: counted while it lives, reported when it has ended
// or is refused. One place, so that no path forgets to.
import type { Conversation } from './conversation.ts';
import type { CloseReason, Refusal } from './counters.ts';
import type { Facts } from './facts.ts';
import type { Floor } from './floor.ts';

/**
 * From here on the conversation is judged under each snapshot, and counts for its peer and for the pods of
 * this node that it is between, by uid: who made it, and to whom it was made.
 */
export function enter(
  floor: Floor,
  conversation: Conversation,
  caller?: string,
  called?: string,
): void {
  const { standing, passage } = conversation;
  if (caller !== undefined) conversation.podSeat = floor.podQuota.seatOf(caller);
  if (called !== undefined) conversation.calledSeat = floor.calledQuota.seatOf(called);
  if (standing.peer !== undefined) conversation.peerSeat = floor.peerQuota.seatOf(standing.peer);
  floor.podQuota.count(conversation.podSeat, 1);
  floor.calledQuota.count(conversation.calledSeat, 1);
  floor.peerQuota.count(conversation.peerSeat, 1);
  floor.enter(conversation);
  passage.count('active');
}

/** A conversation that entered is gone. */
export function leave(floor: Floor, conversation: Conversation): void {
  floor.leave(conversation);
  floor.podQuota.count(conversation.podSeat, -1);
  floor.calledQuota.count(conversation.calledSeat, -1);
  floor.peerQuota.count(conversation.peerSeat, -1);
  conversation.passage.count('active', -1);
}

/** A conversation that entered and was let through has ended; `detail` is one clause or empty. */
export function closed(
  floor: Floor,
  conversation: Conversation,
  reason: CloseReason,
  detail: string,
): void {
  const { passage } = conversation;
  leave(floor, conversation);
  if (!passage.isTraffic) return;
  passage.count(`closed.${reason}`);
  floor.report('closed', () => passage.closed(reason, detail));
}

/** Counts and reports what was refused; `detail` is one clause for operators. */
export function refused(floor: Floor, reason: Refusal, facts: Facts, detail: string): void {
  floor.counters.add(`refused.${reason}`);
  floor.report('refused', () => ({
    ...facts,
    kind: 'refused',
    reason,
    detail: detail.slice(0, 200),
  }));
}
