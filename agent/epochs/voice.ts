// What this node says about itself on the bus: presence each period and its workload directory, under
// the newest listed statement. Words only; it decides nothing.
import type { NodeName } from '#agent/base/brands.ts';
import { b64url } from '#agent/base/bytes.ts';
import type { Clock } from '#agent/base/clock.ts';
import type { Json } from '#agent/base/jcs.ts';
import type { SignedDocument } from '#agent/base/signed.ts';
import type { Log } from '#agent/log.ts';
import type { SlotClock } from '#proxy/chips/slotClock.ts';
import type { Bus } from './bus.ts';
import { signDirectory, type Directory } from './directory.ts';
import type { Chain, ChainKeeper } from './keeper.ts';
import type { OwnStatements } from './ownStatements.ts';
import { ANNOUNCED_CHAINS, MAX_WITHDRAWN_CHARS, signPresence } from './presence.ts';
import { putBack } from './putBack.ts';
import type { OwnStatement } from './statement.ts';
import type { Subjects } from './subjects.ts';
import type { Whereabouts } from './whereabouts.ts';

export interface VoiceOptions {
  readonly bus: Pick<Bus, 'connected' | 'last' | 'publish' | 'request'>;
  readonly subjects: Subjects;
  readonly keeper: ChainKeeper;
  readonly own: Pick<OwnStatements, 'listed'>;
  readonly whereabouts: Whereabouts;
  readonly slots: SlotClock;
  readonly clock: Clock;
  readonly log: Log;
  readonly node: NodeName;
  /** False while the data plane cannot be addressed under this control plane's statements yet. */
  readonly isTold: () => boolean;
  /** What the directory says of the lane port and pods. */
  readonly directory: () => Pick<Directory, 'lane' | 'pods'>;
}

/** What peers learn from a presence besides that its node is there. */
const gistOf = ({ statement, seal }: OwnStatement, inEffect: readonly Chain[]): string =>
  [
    statement.sid,
    b64url(seal.public),
    ...inEffect.slice(0, ANNOUNCED_CHAINS).map(({ id }) => id),
  ].join();

/** A conductor answers at once. */
const TOLD_WITHIN_MS = 2_000;
/** It speaks once in a slot at least: in so many the directory is looked at once. */
const SPEAKS_BETWEEN_LOOKS = 6;

export class Voice {
  readonly #o: VoiceOptions;
  #presenceSeq = 0;
  #directorySeq = 0;
  /** What the last directory says, and the document; undefined: it is to be said again. */
  #saidDirectory: { readonly gist: string; readonly document: SignedDocument } | undefined;
  #speaksSinceLook = 0;
  /** gistOf() the last presence. */
  #said = '';

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
    this.#speaksSinceLook += 1;
    if (this.#speaksSinceLook >= SPEAKS_BETWEEN_LOOKS) await this.#putBackDirectory();
  }

  /** The same where a presence would say more than the last one did: peers verify each, and hear one a slot anyway. */
  async speakIfNew(): Promise<void> {
    const { own, keeper, slots } = this.#o;
    const speaker = own.listed[0]?.own;
    if (speaker && this.#said === gistOf(speaker, keeper.inEffect(slots.timeMs()))) {
      await this.#directory();
    } else {
      await this.speak();
    }
  }

  /** The last word of the present statement: why this node withdraws it. */
  async withdraw(why: string): Promise<void> {
    const { bus, subjects, node } = this.#o;
    const said = await this.#presence(why.slice(0, MAX_WITHDRAWN_CHARS));
    if (!said) return;
    try {
      await bus.request(subjects.join(node), said, TOLD_WITHIN_MS); // who conducts may not hear presences
    } catch {
      // nobody conducts, or the bus is away: whoever seals to this node reads it
    }
  }

  /** The bus may have lost presence and directory: they are said again. */
  repeat(): void {
    this.#said = '';
    this.#saidDirectory = undefined;
    this.#o.whereabouts.repeat();
  }

  async #presence(withdrawn: string | undefined): Promise<Json | undefined> {
    const { bus, subjects, keeper, own, slots, clock, node } = this.#o;
    const speaker = own.listed[0]?.own;
    if (!speaker || !bus.connected) return undefined;
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
    const isSaid = await bus.publish(subjects.presence(node), presence);
    this.#said = isSaid ? gistOf(speaker, keeper.inEffect(nowMs)) : '';
    return presence;
  }

  async #directory(): Promise<void> {
    const { bus, subjects, own, whereabouts, node } = this.#o;
    const speaker = own.listed[0]?.own;
    if (!speaker || !bus.connected) return;
    const { sid } = speaker.statement;
    const { lane, pods } = this.#o.directory();
    const gist = JSON.stringify([sid, lane, pods]);
    if (gist !== this.#saidDirectory?.gist) {
      this.#directorySeq += 1;
      const directory = { v: 1 as const, node, sid, seq: this.#directorySeq, lane, pods };
      const document = signDirectory(directory, speaker.sign);
      if (!(await bus.publish(subjects.workloads(node), document))) return;
      this.#saidDirectory = { gist, document };
    }
    await whereabouts.say(pods.flatMap(({ ips }) => ips));
  }

  async #putBackDirectory(): Promise<void> {
    const { bus, subjects, own, log, node } = this.#o;
    this.#speaksSinceLook = 0;
    if (!this.#saidDirectory || own.listed.length === 0 || !bus.connected) return;
    const { document: value } = this.#saidDirectory;
    const subject = subjects.workloads(node);
    const read = () => bus.last(subjects.streams.workloads, subject);
    const put = () => bus.publish(subject, value);
    await putBack({ what: 'workload directory', value, read, put }, log);
  }
}
