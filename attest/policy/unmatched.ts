// Why the measurements of one register are none that a policy allows, in words: which events are not
// enrolled, which stand at another place, which are missing, which come before their time.
import { counted } from '#agent/base/counted.ts';
import { hex } from '#agent/base/bytes.ts';
import type { PolicyBank } from '#attest/owned.ts';
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
  const missing = missingText(pcr, measured, terms);
  if (missing !== undefined) named.push(missing);
  if (named.length === 0) named.push(placeText(pcr, measured, walked, terms.bank));
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

/** Enrolled events that the log has nowhere, of each component's alternative that lacks the fewest. */
function missingText(
  pcr: number,
  measured: readonly Measured[],
  { components, bank, atMs }: Terms,
): string | undefined {
  const there = new Set(measured.map(({ digest }) => digest));
  const missing = components.flatMap(({ name, alternatives }) => {
    const [fewest = []] = alternatives
      .filter((alternative) => isInEffect(alternative, atMs))
      .map(({ events }) =>
        events.filter((event) => event.pcr === pcr && !there.has(event.digests[bank] ?? '')),
      )
      .sort((a, b) => a.length - b.length);
    return fewest.map((event) => `${name}: ${enrolledText(event, bank)}`);
  });
  if (missing.length === 0) return undefined;
  const more = missing.length - SHOWN_EVENTS;
  const shown = missing.slice(0, SHOWN_EVENTS).join(', ');
  return `PCR ${pcr}: the log lacks ${shown}${more > 0 ? `, and ${more} more` : ''}`;
}

/** Every digest is enrolled and there, but the sequence is not. */
function placeText(
  pcr: number,
  measured: readonly Measured[],
  { furthest, expected }: Walk,
  bank: PolicyBank,
): string {
  const at = measured[furthest];
  const before = expected === undefined ? 'what is enrolled' : enrolledText(expected, bank);
  if (at === undefined) {
    return `PCR ${pcr}: the log ends after ${counted(measured.length, 'event')}, before ${before}`;
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
  const shown = shortWords(detail);
  const inBrackets = /^\([^()]*\)$/.test(shown) ? shown : `(${shown})`;
  return `PCR ${pcr}: ${noun} digest ${digest.slice(0, SHOWN_DIGITS)}.. ${inBrackets}`;
}

/** `boot loader \EFI\debian\grubx64.efi (not measured), digest 40d6fe01..`. */
const enrolledText = ({ about, digests }: PolicyEvent, bank: PolicyBank): string =>
  `${shortWords(about)}, digest ${(digests[bank] ?? '').slice(0, SHOWN_DIGITS)}..`;

const shortWords = (text: string): string =>
  text.length > SHOWN_WORDS ? `${text.slice(0, SHOWN_WORDS)}..` : text;

/** The first digits of a register's value. */
export const shortValue = (value: Buffer): string => `${hex(value).slice(0, 2 * SHOWN_DIGITS)}..`;
