// This node's own attestation, renewed all the time (PROTOCOL 3.1, 3.2): draws keys, has the TPM quote
// them, judges the evidence by the same rules as everybody else's, and asks for admission.
import { generateSealKey, type SealKey } from '#agent/base/asymmetric.ts';
import type { NodeName, Sid } from '#agent/base/brands.ts';
import { b64url, fromB64url, type Bytes } from '#agent/base/bytes.ts';
import type { Clock } from '#agent/base/clock.ts';
import { asTidelockError, messageOf, TidelockError } from '#agent/base/errors.ts';
import type { Json } from '#agent/base/jcs.ts';
import type { Log } from '#agent/log.ts';
import type { Appraisal } from '#attest/verify.ts';
import { whyNot } from './admission.ts';
import type { Bus } from './bus.ts';
import { acceptable, evidenceKey, type Examiner } from './examiner.ts';
import { readChallengeAnswer, readJoinAnswer, signJoin } from './join.ts';
import type { OwnStatements } from './ownStatements.ts';
import { putBack } from './putBack.ts';
import { drawStatement, type OwnStatement } from './statement.ts';
import { nodeToken, type Subjects } from './subjects.ts';

export interface Challenge {
  /** Hex: newest record hash, or the policy's. */
  readonly basis: string;
  /** 32 bytes. */
  readonly random: Bytes;
}

export interface AttestorOptions {
  readonly bus: Pick<Bus, 'connected' | 'get' | 'put' | 'request'>;
  readonly subjects: Subjects;
  readonly examiner: Pick<Examiner, 'appraise'>;
  readonly own: Pick<OwnStatements, 'isListed'>;
  /** As the owners signed it. */
  readonly enrolment: Json;
  /** Has the TPM speak for `statement`; the result is an evidence document (attest/evidence.ts). */
  readonly collect: (statement: Bytes, challenge: Challenge) => Promise<Json>;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: (bytes: number) => Buffer;
  readonly domain: string;
  readonly cluster: string;
  readonly node: NodeName;
  readonly algorithms: readonly number[];
  readonly basis: () => string;
  /** A statement's evidence held: peers may address it as soon as somebody is asked to admit it. */
  readonly onAttested: (own: OwnStatement) => void;
  /** True while this node conducts: it then gives itself the challenge. */
  readonly leading: () => boolean;
}

/** What this node knows of its own attestation. */
export interface SelfAttestation {
  readonly verdict: Appraisal['verdict'];
  /** In words: what failed, or why there is no verdict. */
  readonly reason: string;
  readonly appraisal: Appraisal | undefined;
  /** Unix milliseconds of the last round that ended in an acceptable verdict. */
  readonly renewedAtMs: number | undefined;
  readonly error: TidelockError | undefined;
}

export type RoundResult =
  | {
      readonly outcome: 'attested';
      /** True when a conductor was asked, and admitted it. */
      readonly asked: boolean;
      /** Whether the bus has the evidence: until it does, nobody can follow a statement that is new. */
      readonly stored: boolean;
      /** A sealed message that came with the admission. */
      readonly sealed: unknown;
    }
  | { readonly outcome: 'refused' | 'failed'; readonly why: string };

/** What a conductor answered: why not, or the sealed message it sent along. */
export type Answer = { readonly refused: string } | { readonly sealed: unknown };

const ANSWER_TIMEOUT_MS = 3000;
/** Evidence is looked at in each slot until a record lists its statement, and in so many more: then all have read it. */
const LOOKS_WHEN_LISTED = 3;
/** The enrolment is looked at once in so many slots, and in each round. */
const SLOTS_BETWEEN_LOOKS = 6;

export class Attestor {
  readonly #o: AttestorOptions;
  #state: SelfAttestation = {
    verdict: 'none',
    reason: 'not attested yet',
    appraisal: undefined,
    renewedAtMs: undefined,
    error: undefined,
  };
  /** The newest own statement whose evidence held, and the seal key that speaks for it now. */
  #current: OwnStatement | undefined;
  #offered: SealKey | undefined;
  #restsOn: string | undefined;
  /** What the others judge the present statement by, and whether the bus has ever had it. */
  #evidence: { readonly sid: Sid; readonly evidence: Json; isStored: boolean } | undefined;
  #looksLeft = 0;
  #slotsSinceLook = 0;

  constructor(options: AttestorOptions) {
    this.#o = options;
  }

  get state(): SelfAttestation {
    return this.#state;
  }

  /** The statement to act under; undefined as soon as this node's own evidence fails. */
  get current(): OwnStatement | undefined {
    return this.#state.verdict === 'contraindicated' ? undefined : this.#current;
  }

  /** What the newest evidence that held is based on: a record's hash, or the policy's; hex. */
  get restsOn(): string | undefined {
    return this.#restsOn;
  }

  /**
   * One round. With `reuse` the present statement is quoted again, for a conductor that has not
   * admitted it yet, or while the bus is away; otherwise new keys are drawn, and used once the bus has
   * their evidence. Never throws: a TPM that is away is a result.
   */
  async round(reuse: boolean, needsChains: boolean): Promise<RoundResult> {
    try {
      return await this.#round(reuse, needsChains);
    } catch (thrown) {
      const error = asTidelockError(thrown, 'attestor.round');
      this.#state = { ...this.#state, reason: error.message, error };
      if (this.#state.renewedAtMs === undefined && this.#state.verdict !== 'contraindicated') {
        this.#state = { ...this.#state, verdict: 'none' };
      }
      return { outcome: 'failed', why: error.message };
    }
  }

  async #round(reuse: boolean, needsChains: boolean): Promise<RoundResult> {
    const { bus, subjects, node } = this.#o;
    await this.#putBackEnrolment();
    await this.#putBackEvidence();
    const given = await this.#challenge();
    const own = (reuse ? this.current : undefined) ?? this.#draw();
    const { sid } = own.statement;
    const evidence = await this.#o.collect(own.statement.bytes, given.challenge);
    const examined = await this.#o.examiner.appraise(node, sid, evidence, given.challenge.basis);
    if (!examined.known) {
      throw new TidelockError('ATTESTATION_UNUSABLE', {
        op: 'attestor.round',
        message: `Cannot judge this node's own evidence: ${examined.why}`,
        hint: 'Enrol the node with tidelock enroll under this name, and check attestation.enrolmentFile and owners.',
      });
    }
    const { appraisal } = examined;
    const good = acceptable(appraisal);
    this.#note(appraisal, good);
    const stored = await bus.put(subjects.buckets.roster, evidenceKey(node, sid), evidence);
    if (good && (stored || this.#current === undefined)) {
      this.#current = own;
      this.#restsOn = given.challenge.basis;
      this.#o.onAttested(own);
    }
    if (own === this.#current) {
      this.#evidence = { sid, evidence, isStored: stored };
      this.#looksLeft = LOOKS_WHEN_LISTED;
    }
    const asked = given.asked && stored;
    const answer = asked ? await this.#ask(own, 'admit', needsChains) : { sealed: undefined };
    if (!good) return { outcome: 'failed', why: whyNot(appraisal) };
    if ('refused' in answer) return { outcome: 'refused', why: answer.refused };
    return { outcome: 'attested', asked, stored, sealed: answer.sealed };
  }

  /** A bus that does not have what this node is judged by, or has it of before, gets it. */
  async onConnect(): Promise<void> {
    const { bus, subjects, node, enrolment } = this.#o;
    await bus.put(subjects.buckets.enrolment, nodeToken(node), enrolment);
    await this.#putBackEvidence();
  }

  /** In each slot without a round: looks whether the bus has what this node is judged by as it was put there. */
  async look(): Promise<void> {
    const { current } = this;
    if (!current) return;
    const isListed = this.#o.own.isListed(current);
    if (!isListed) this.#looksLeft = LOOKS_WHEN_LISTED;
    if (this.#looksLeft > 0) await this.#putBackEvidence();
    if (isListed && this.#looksLeft > 0) this.#looksLeft -= 1;
    this.#slotsSinceLook += 1;
    if (this.#slotsSinceLook >= SLOTS_BETWEEN_LOOKS) await this.#putBackEnrolment();
  }

  async #putBackEnrolment(): Promise<void> {
    const { bus, subjects, node, enrolment, log } = this.#o;
    const [bucket, key] = [subjects.buckets.enrolment, nodeToken(node)];
    this.#slotsSinceLook = 0;
    const read = async () => (await bus.get(bucket, key))?.value;
    const put = () => bus.put(bucket, key, enrolment);
    if (bus.connected) await putBack({ what: 'enrolment', value: enrolment, read, put }, log);
  }

  async #putBackEvidence(): Promise<void> {
    const { bus, subjects, node, log } = this.#o;
    const held = this.#evidence;
    if (!held || !this.current || !bus.connected) return;
    const { sid, evidence } = held;
    const [bucket, key] = [subjects.buckets.roster, evidenceKey(node, sid)];
    const read = async () => (await bus.get(bucket, key))?.value;
    const put = () => bus.put(bucket, key, evidence);
    if (held.isStored) await putBack({ what: 'evidence', value: evidence, read, put }, log);
    else held.isStored = await put();
  }

  /** An owner revoked this node: it acts under nothing from now on. */
  revoked(reason: string): void {
    this.#o.log.error('node.verdict', { verdict: 'contraindicated', text: `this node ${reason}` });
    this.#state = { ...this.#state, verdict: 'contraindicated', reason };
  }

  #draw(): OwnStatement {
    const { domain, cluster, node, algorithms, clock, random } = this.#o;
    return drawStatement({
      domain,
      cluster,
      node,
      algorithms,
      issuedAtMs: clock.wallMs(),
      nonce: random(16),
    });
  }

  /** From the conductor; from itself where this node conducts or nobody does. */
  async #challenge(): Promise<{ readonly challenge: Challenge; readonly asked: boolean }> {
    const { bus, subjects, node, basis, random, leading, log } = this.#o;
    const own = { challenge: { basis: basis(), random: random(32) }, asked: false };
    if (leading() || !bus.connected) return own;
    try {
      const request = { v: 1, ask: 'challenge', node } as const;
      const answer = await bus.request(subjects.join(node), request, ANSWER_TIMEOUT_MS);
      const given = readChallengeAnswer(answer);
      if (!given) return own;
      return { challenge: { basis: given.basis, random: fromB64url(given.random) }, asked: true };
    } catch (cause) {
      log.debug('attestor.no-conductor', { error: messageOf(cause) });
      return own; // nobody conducts yet: the evidence then serves to stand for election
    }
  }

  /** Asks the conductor for the live chains again. */
  resync(own: OwnStatement): Promise<Answer> {
    return this.#ask(own, 'resync', true);
  }

  async #ask(own: OwnStatement, ask: 'admit' | 'resync', needsChains: boolean): Promise<Answer> {
    const { bus, subjects, node } = this.#o;
    if (needsChains) this.#freshSeal(own);
    const seal = b64url(own.seal.public);
    const { sid } = own.statement;
    const request = signJoin({ v: 1, ask, node, sid, seal, needsChains }, own.sign);
    let answer: ReturnType<typeof readJoinAnswer>;
    try {
      answer = readJoinAnswer(await bus.request(subjects.join(node), request, ANSWER_TIMEOUT_MS));
    } catch {
      answer = undefined; // the bus or the conductor is away
    }
    if (!answer) return { refused: 'the conductor did not answer' };
    return answer.ok ? { sealed: answer.sealed } : { refused: answer.reason };
  }

  /** A seal key is offered once: whether its answer arrived or not, the next request has another. */
  #freshSeal(own: OwnStatement): void {
    if (this.#offered === own.seal) own.seal = generateSealKey();
    this.#offered = own.seal;
  }

  #note(appraisal: Appraisal, good: boolean): void {
    const { clock, log } = this.#o;
    const reason = good ? '' : whyNot(appraisal);
    if (appraisal.verdict !== this.#state.verdict) {
      const text = `this node is ${appraisal.verdict}${reason ? `: ${reason}` : ''}`;
      log[good ? 'info' : 'error']('node.verdict', { verdict: appraisal.verdict, text });
    }
    this.#state = {
      verdict: appraisal.verdict,
      reason,
      appraisal,
      renewedAtMs: good ? clock.wallMs() : this.#state.renewedAtMs,
      error: undefined,
    };
  }
}
