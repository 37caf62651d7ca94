// What this node says about itself on the bus: presence each period and its workload directory, under
// the newest listed statement. Words only; it decides nothing.
import type { NodeName } from '#agent/base/brands.ts';
import { b64url } from '#agent/base/bytes.ts';
import type { Clock } from '#agent/base/clock.ts';
import type { SlotClock } from '#proxy/chips/slotClock.ts';
import type { Bus } from './bus.ts';
import { signDirectory, type Directory } from './directory.ts';
import type { ChainKeeper } from './keeper.ts';
import type { OwnStatements } from './ownStatements.ts';
import { MAX_WITHDRAWN_CHARS, signPresence } from './presence.ts';
import type { Subjects } from './subjects.ts';

export interface VoiceOptions {
  readonly bus: Pick<Bus, 'connected' | 'publish'>;
  readonly subjects: Subjects;
  readonly keeper: ChainKeeper;
  readonly own: Pick<OwnStatements, 'listed'>;
  readonly slots: SlotClock;
  readonly clock: Clock;
  readonly node: NodeName;
  /** False while the data plane cannot be addressed under this control plane's statements yet. */
  readonly isTold: () => boolean;
  /** What the directory says of the lane port and pods. */
  readonly directory: () => Pick<Directory, 'lane' | 'pods'>;
}

export class Voice {
  readonly #o: VoiceOptions;
  #presenceSeq = 0;
  #directorySeq = 0;
  #saidDirectory = '';

  constructor(options: VoiceOptions) {
    this.#o = options;
  }

  /**
   * Publishes presence, and the directory when it changed; nothing while no statement is listed. Presence
   * has peers turn to the newest statement, which the data plane has to know before they do.
   */
  async speak(): Promise<void> {
    if (this.#o.isTold()) await this.#presence(undefined);
    await this.#directory();
  }

  /** The last word of the present statement: why this node withdraws it. */
  async withdraw(why: string): Promise<void> {
    await this.#presence(why.slice(0, MAX_WITHDRAWN_CHARS));
  }

  /** The bus may have lost the directory: it is said again. */
  repeat(): void {
    this.#saidDirectory = '';
  }

  async #presence(withdrawn: string | undefined): Promise<void> {
    const { bus, subjects, keeper, own, slots, clock, node } = this.#o;
    const speaker = own.listed[0]?.own;
    if (!speaker || !bus.connected) return;
    const nowMs = slots.timeMs();
    const { sid } = speaker.statement;
    this.#presenceSeq += 1;
    const presence = signPresence(
      {
        v: 1,
        node,
        sid,
        seq: this.#presenceSeq,
        nextSeal: b64url(speaker.seal.public),
        chains: keeper.announce(node, sid, nowMs),
        clockOffsetMs: Math.round(clock.wallMs() - nowMs),
        hop: 0,
        ...(withdrawn === undefined ? {} : { withdrawn }),
      },
      speaker.sign,
    );
    await bus.publish(subjects.presence(node), presence);
  }

  async #directory(): Promise<void> {
    const { bus, subjects, own, node } = this.#o;
    const speaker = own.listed[0]?.own;
    if (!speaker || !bus.connected) return;
    const { sid } = speaker.statement;
    const said = JSON.stringify([sid, this.#o.directory()]);
    if (said === this.#saidDirectory) return;
    this.#directorySeq += 1;
    const directory = { v: 1 as const, node, sid, seq: this.#directorySeq, ...this.#o.directory() };
    const signed = signDirectory(directory, speaker.sign);
    if (await bus.publish(subjects.workloads(node), signed)) this.#saidDirectory = said;
  }
}
