// The moments of a slot at which a node has something to do (decision 16): its beginning, a moment of its own at which it
// speaks, and, while it conducts, the middle. Each comes once in a slot.
import { createHash } from 'node:crypto';
import type { NodeName, Slot } from '#agent/base/brands.ts';
import type { Clock } from '#agent/base/clock.ts';
import type { SlotClock } from '#proxy/chips/slotClock.ts';

export interface SlotTimerOptions {
  readonly clock: Pick<Clock, 'after'>;
  readonly slots: Pick<SlotClock, 'slot' | 'untilNextMs'>;
  readonly node: NodeName;
  readonly periodMs: number;
  readonly isConducting: () => boolean;
  readonly onSlot: () => void;
  /** `isConducting`: this node did when the slot began. */
  readonly onRound: (isConducting: boolean) => void;
  /** Only in slots in which this node conducted when they began. */
  readonly onConducting: () => void;
}

/** Nodes speak within this part of a slot, so that those of a cluster do not all speak, verify and seal at once. */
const SPEAKING_PART = 1 / 8;
/** Who conducts does so when the others have spoken: a record finds them, and the bus, with nothing else to do. */
const CONDUCTING_AT = 1 / 2;

export class SlotTimer {
  readonly #o: SlotTimerOptions;
  /** From the beginning of a slot until this node speaks. */
  readonly #roundAfterMs: number;
  readonly #cancel = { slot: nothing, round: nothing, conducting: nothing };
  #begun: Slot;

  /** Begins with the next slot. */
  constructor(options: SlotTimerOptions) {
    this.#o = options;
    this.#roundAfterMs = placeOf(options.node) * SPEAKING_PART * options.periodMs;
    this.#begun = options.slots.slot(options.periodMs);
    this.#arm();
  }

  stop(): void {
    for (const cancel of Object.values(this.#cancel)) cancel();
  }

  #arm(): void {
    const { clock, slots, periodMs } = this.#o;
    this.#cancel.slot = clock.after(slots.untilNextMs(periodMs), () => {
      const slot = slots.slot(periodMs);
      if (slot !== this.#begun) this.#begin(slot); // a timer may be a few milliseconds early
      this.#arm();
    });
  }

  #begin(slot: Slot): void {
    const { clock, periodMs, onSlot, onRound, onConducting } = this.#o;
    this.#begun = slot;
    onSlot();
    const isConducting = this.#o.isConducting();
    this.#cancel.round = clock.after(this.#roundAfterMs, () => onRound(isConducting));
    if (isConducting) {
      this.#cancel.conducting = clock.after(CONDUCTING_AT * periodMs, onConducting);
    }
  }
}

const nothing = (): void => undefined;

/** A number from 0 to 1, spread evenly over nodes and always the same for one. */
const placeOf = (node: NodeName): number =>
  createHash('sha256').update(node).digest().readUInt32BE(0) / 2 ** 32;
