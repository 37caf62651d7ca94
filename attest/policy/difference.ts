// What another boot would change of a reference policy, component by component and in words: for an
// operator who is about to add a node or to update an operating system.
import type { EventLog } from '#attest/eventlog/parse.ts';
import { partsOf } from './compose.ts';
import type { PolicyAlternative, PolicyEvent, ReferencePolicy } from './document.ts';
import { isInEffect } from './match.ts';

export interface Difference {
  readonly component: string;
  /** `announced`: an alternative has it, but only from a later day on. */
  readonly kind: 'added' | 'removed' | 'changed' | 'reordered' | 'announced';
  readonly pcr: number;
  /** Digests in hex; null where there was or is none. */
  readonly was: string | null;
  readonly now: string | null;
  readonly text: string;
}

/** Everything of `log` that no alternative in effect at `atMs` has; empty when the policy allows it. */
export function differences(policy: ReferencePolicy, log: EventLog, atMs: number): Difference[] {
  const parts = new Map(partsOf(log, policy.bank).map(({ name, events }) => [name, events]));
  const enrolled = new Map(policy.components.map(({ name, alternatives }) => [name, alternatives]));
  const names = new Set([...enrolled.keys(), ...parts.keys()]);
  const found = [...names]
    .flatMap((name) => {
      const now = parts.get(name) ?? [];
      return compare(name, enrolled.get(name) ?? [], now, { bank: policy.bank, atMs });
    })
    .filter(({ pcr }) => String(pcr) in policy.registers);
  const moved = [...Map.groupBy(found, ({ pcr }) => pcr).values()].map(movedAmong);
  return found.flatMap((difference) => {
    const together = moved.find((differences) => differences.has(difference));
    if (together === undefined) return [difference];
    const [first] = together;
    return first === difference ? [reordered(difference, together)] : [];
  });
}

/** Changes of one register by which its components only hold each other's events. */
function movedAmong(found: readonly Difference[]): ReadonlySet<Difference> {
  let left = found.filter(({ kind }) => kind === 'changed');
  for (let before = Infinity; left.length < before;) {
    before = left.length;
    const were = new Set(left.map(({ was }) => was));
    const are = new Set(left.map(({ now }) => now));
    left = left.filter(({ was, now }) => were.has(now) && are.has(was));
  }
  const isSame = sorted(left.map(({ was }) => was)) === sorted(left.map(({ now }) => now));
  return new Set(isSame ? left : []);
}

const sorted = (digests: readonly (string | null)[]): string => digests.map(String).sort().join();

/** `first` of the `moved`, speaking for all of them. */
function reordered(first: Difference, moved: ReadonlySet<Difference>): Difference {
  const names = Array.from(moved, ({ component }) => component).join(', ');
  const text = `PCR ${first.pcr} ${names}: the same ${moved.size} events in another order`;
  return { ...first, kind: 'reordered', was: null, now: null, text };
}

interface Terms {
  readonly bank: ReferencePolicy['bank'];
  readonly atMs: number;
}

function compare(
  component: string,
  alternatives: readonly PolicyAlternative[],
  now: readonly PolicyEvent[],
  { bank, atMs }: Terms,
): Difference[] {
  const digestOf: KeyOf = ({ pcr, digests }) => `${pcr}:${digests[bank]}`;
  const same = alternatives.filter(({ events }) => keys(events, digestOf) === keys(now, digestOf));
  if (same.some((alternative) => isInEffect(alternative, atMs))) return [];
  const pcr = [...now, ...alternatives.flatMap(({ events }) => events)][0]?.pcr ?? 0;
  const whole = (kind: Difference['kind'], text: string): Difference[] => [
    { component, kind, pcr, was: null, now: null, text: `PCR ${pcr} ${component}: ${text}` },
  ];
  const [announced] = same;
  if (announced !== undefined) {
    const since = new Date(announced.notBefore ?? 0).toISOString();
    return whole('announced', `as announced from ${since} on (${announced.note})`);
  }
  const was = nearest(alternatives, now, digestOf)?.events ?? [];
  const removed = without(was, now, digestOf);
  const added = without(now, was, digestOf);
  return removed.length + added.length === 0
    ? whole('reordered', `the same ${now.length} events in another order`)
    : paired(component, removed, added, bank);
}

type KeyOf = (event: PolicyEvent) => string;

const keys = (events: readonly PolicyEvent[], keyOf: KeyOf): string => events.map(keyOf).join();

/** The alternative that has most digests in common, and of several the one that reads most alike. */
function nearest(
  alternatives: readonly PolicyAlternative[],
  now: readonly PolicyEvent[],
  digestOf: KeyOf,
): PolicyAlternative | undefined {
  const distance = ({ events }: PolicyAlternative, keyOf: KeyOf): number =>
    without(events, now, keyOf).length + without(now, events, keyOf).length;
  const scored = alternatives.map((alternative) => ({
    alternative,
    digests: distance(alternative, digestOf),
    words: distance(alternative, ({ about }) => about),
  }));
  return scored.sort((a, b) => a.digests - b.digests || a.words - b.words)[0]?.alternative;
}

/** Events of `some` that `others` lacks, each as often as it is missing. */
function without(
  some: readonly PolicyEvent[],
  others: readonly PolicyEvent[],
  keyOf: KeyOf,
): PolicyEvent[] {
  const left = new Map<string, number>();
  for (const event of others) left.set(keyOf(event), (left.get(keyOf(event)) ?? 0) + 1);
  return some.filter((event) => {
    const count = left.get(keyOf(event)) ?? 0;
    left.set(keyOf(event), count - 1);
    return count <= 0;
  });
}

/** What words are about: `Secure Boot variable db` of `Secure Boot variable db: 3 x509`. */
const subjectOf = ({ about }: PolicyEvent): string => about.split(/[:=,]/, 1)[0] ?? about;

/** An event that goes and one about the same that comes are one that changed; so are two that are alone. */
function paired(
  component: string,
  removed: readonly PolicyEvent[],
  added: readonly PolicyEvent[],
  bank: ReferencePolicy['bank'],
): Difference[] {
  const coming = [...added];
  const areAlone = removed.length === 1 && added.length === 1;
  const short = (event: PolicyEvent): string => `${(event.digests[bank] ?? '').slice(0, 8)}..`;
  const gone = removed.map((was): Difference => {
    const at = coming.findIndex((now) => areAlone || subjectOf(now) === subjectOf(was));
    const [now] = at < 0 ? [] : coming.splice(at, 1);
    const where = `PCR ${was.pcr} ${component}`;
    const text = `${where}: ${was.about}${fate(was, now)}`;
    return {
      ...digests(was, now),
      component,
      kind: now ? 'changed' : 'removed',
      pcr: was.pcr,
      text,
    };
  });
  const come = coming.map((now): Difference => {
    const text = `PCR ${now.pcr} ${component}: ${now.about}, ${short(now)}, is new`;
    return { ...digests(undefined, now), component, kind: 'added', pcr: now.pcr, text };
  });
  return [...gone, ...come];

  function fate(was: PolicyEvent, now: PolicyEvent | undefined): string {
    if (now === undefined) return `, ${short(was)}, is gone`;
    if (now.about !== was.about) return `, ${short(was)}, becomes ${now.about}, ${short(now)}`;
    return `: the same words for both, which do not tell all; the digest ${short(was)} becomes ${short(now)}`;
  }

  function digests(was: PolicyEvent | undefined, now: PolicyEvent | undefined) {
    return { was: was?.digests[bank] ?? null, now: now?.digests[bank] ?? null };
  }
}
