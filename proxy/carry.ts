// How a connection joins the floor and leaves it: counted while it lives, reported when it opens, ends
// or is refused. One place, so that no path forgets to.
import type { LaneEvent } from './control.ts';
import type { Conversation } from './conversation.ts';
import type { Refusal } from './counters.ts';
import type { Floor } from './floor.ts';

/** What is known of a connection when it is reported. */
export type Facts = Omit<LaneEvent, 'at' | 'kind' | 'reason' | 'detail'>;

/** From here on the conversation is judged under each snapshot. */
export function enter(floor: Floor, conversation: Conversation): void {
  floor.enter(conversation);
  floor.counters.add('active');
}

/** A conversation that entered is gone. */
export function leave(floor: Floor, conversation: Conversation): void {
  floor.leave(conversation);
  floor.counters.add('active', -1);
}

/** Reports a connection that carries bytes from now on; `rule` allowed it. */
export const opened = (floor: Floor, facts: Facts, rule: string): void =>
  floor.report({ ...facts, kind: 'opened', detail: clip(rule) });

/** Reports the end of a connection that was reported open. */
export const closed = (floor: Floor, facts: Facts, how: string): void =>
  floor.report({ ...facts, kind: 'closed', detail: clip(how) });

/** Counts and reports what was refused; `detail` is one clause for operators. */
export function refused(floor: Floor, reason: Refusal, facts: Facts, detail: string): void {
  floor.counters.add(`refused.${reason}`);
  floor.report({ ...facts, kind: 'refused', reason, detail: clip(detail) });
}

/** Events carry at most 200 characters of detail (control.ts). */
const clip = (text: string): string => text.slice(0, 200);
