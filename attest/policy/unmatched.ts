// Why the measurements of one register are none that a policy allows, in words: which events are not
// enrolled, which stand at another place, which are missing, which come before their time.
import { hex } from '#agent/base/bytes.ts';
import { registerContents } from '#attest/reference.ts';
import type { PolicyComponent, PolicyEvent } from './document.ts';
import { isInEffect, type Terms, type Walk } from './match.ts';
import { tellEvent, type Measured } from './measured.ts';

const SHOWN_EVENTS = 5;
const SHOWN_DIGITS = 8;
/** Characters of a description; a menu entry has hundreds. */
const SHOWN_WORDS = 100;

/** Sentences that name the events of `measured`, all of one register, that `walked` did not get past. */
export function unmatchedText(
  pcr: number,
  measured: readonly Measured[],
  walked: Walk,
  terms: Terms,
): string {
  const enrolled = enrolledDigests(pcr, terms);
  const strangers = measured.filter(({ digest }) => enrolled.get(digest) !== 'now');
  const named = strangers.slice(0, SHOWN_EVENTS).map((event) => {
    const announced = enrolled.get(event.digest);
    return announced === undefined
      ? `${eventText(event)} is not among the ${countLike(event, terms)} enrolled`
      : `${eventText(event)} is announced, but only from ${announced} on`;
  });
  if (strangers.length > SHOWN_EVENTS) named.push(`${strangers.length - SHOWN_EVENTS} more`);
  if (named.length === 0) named.push(placeText(pcr, measured, walked));
  const uncovered = strangers
    .slice(0, SHOWN_EVENTS)
    .filter(({ event }) => !tellEvent(event).covered)
    .map(({ event }) => event.index);
  const caution =
    uncovered.length === 0
      ? ''
      : ` What the log calls event ${uncovered.join(', ')} is not measured: go by the digest.`;
  return `${named.join('; ')}.${caution}`;
}

/** By digest `now`, or the day for which all its alternatives are announced. */
function enrolledDigests(pcr: number, { components, bank, atMs }: Terms): Map<string, string> {
  const found = new Map<string, string>();
  for (const alternative of components.flatMap(({ alternatives }) => alternatives)) {
    const counts = isInEffect(alternative, atMs);
    const since = counts ? 'now' : new Date(alternative.notBefore ?? 0).toISOString();
    for (const { digests, pcr: register } of alternative.events) {
      const digest = digests[bank];
      if (register === pcr && digest !== undefined && found.get(digest) !== 'now') {
        found.set(digest, since);
      }
    }
  }
  return found;
}

/** Enrolled digests of the register for events of this type; of any type when none is of this. */
function countLike({ pcr, event }: Measured, { components, bank }: Terms): number {
  const events = eventsOf(components).filter((enrolled) => enrolled.pcr === pcr);
  const { type } = tellEvent(event);
  const alike = events.filter((enrolled) => enrolled.type === type);
  const digests = (alike.length > 0 ? alike : events).map((enrolled) => enrolled.digests[bank]);
  return new Set(digests).size;
}

const eventsOf = (components: readonly PolicyComponent[]): PolicyEvent[] =>
  components.flatMap(({ alternatives }) => alternatives.flatMap(({ events }) => events));

/** Every digest is enrolled, but the sequence is not. */
function placeText(
  pcr: number,
  measured: readonly Measured[],
  { furthest, expected }: Walk,
): string {
  const at = measured[furthest];
  if (at === undefined) {
    return `PCR ${pcr}: the log ends after ${measured.length} events, before ${expected?.about ?? 'what is enrolled'}`;
  }
  const instead =
    expected === undefined ? 'after all that is enrolled' : `where ${expected.about} is`;
  return `${eventText(at)} is enrolled, but not at this place: it stands ${instead}`;
}

/** `PCR 4: boot loader digest 40d6fe01.. (\EFI\debian\grubx64.efi)`. */
function eventText({ pcr, digest, event }: Measured): string {
  const noun = registerContents(pcr) ?? 'event';
  const { about } = tellEvent(event);
  const detail = about.startsWith(`${noun} `) ? about.slice(noun.length + 1) : about;
  const shown = detail.length > SHOWN_WORDS ? `${detail.slice(0, SHOWN_WORDS)}..` : detail;
  return `PCR ${pcr}: ${noun} digest ${digest.slice(0, SHOWN_DIGITS)}.. (${shown})`;
}

/** The first digits of a register's value. */
export const shortValue = (value: Buffer): string => `${hex(value).slice(0, 2 * SHOWN_DIGITS)}..`;
