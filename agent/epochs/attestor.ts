// This node's own attestation, renewed all the time (PROTOCOL 3.3, 3.5): draws keys, has the TPM quote
// them, judges the evidence by the same rules as everybody else's, and asks for admission.
import type { NodeName } from '#agent/base/brands.ts';
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
import { drawStatement, type OwnStatement } from './statement.ts';
import type { Subjects } from './subjects.ts';

export interface Challenge {
  /** Hex: newest record hash, or the policy's. */
  readonly basis: string;
  /** 32 bytes. */
  readonly random: Bytes;
}

export interface AttestorOptions {
  readonly bus: Bus;
  readonly subjects: Subjects;
  readonly examiner: Examiner;
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
  /** True while this node conducts: it then gives itself the challenge. */
  readonly leading: () => boolean;
  /** Takes the sealed message that came with an admission. */
  readonly onSealed: (document: unknown) => void;
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
  | { readonly outcome: 'attested'; readonly own: OwnStatement; readonly asked: boolean }
  | { readonly outcome: 'refused' | 'failed'; readonly why: string };

const ANSWER_TIMEOUT_MS = 3000;

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

  /**
   * One round. With `reuse` the present statement is quoted again, for a conductor that has not
   * admitted it yet; otherwise new keys are drawn. Never throws: a TPM that is away is a result.
   */
  async round(reuse: boolean, needsChains: boolean): Promise<RoundResult> {
    try {
      return await this.#round(reuse, needsChains);
    } catch (thrown) {
      const error = asTidelockError(thrown, 'attestor.round');
      this.#state = { ...this.#state, reason: error.message, error };
      if (this.#state.renewedAtMs === undefined) this.#state = { ...this.#state, verdict: 'none' };
      return { outcome: 'failed', why: error.message };
    }
  }

  async #round(reuse: boolean, needsChains: boolean): Promise<RoundResult> {
    const { bus, subjects, node } = this.#o;
    const given = await this.#challenge();
    const own = (reuse ? this.current : undefined) ?? (await this.#draw());
    const { sid } = own.statement;
    const evidence = await this.#o.collect(own.statement.bytes, given.challenge);
    const examined = await this.#o.examiner.appraise(node, sid, evidence);
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
    if (good) this.#current = own;
    const stored = await bus.put(subjects.buckets.roster, evidenceKey(sid), evidence);
    if (given.asked && stored) {
      const refusal = await this.#ask(own, needsChains);
      if (refusal !== undefined && good) return { outcome: 'refused', why: refusal };
    }
    return good
      ? { outcome: 'attested', own, asked: given.asked && stored }
      : { outcome: 'failed', why: whyNot(appraisal) };
  }

  #draw(): Promise<OwnStatement> {
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

  /** Why the conductor refused, or undefined. */
  async #ask(own: OwnStatement, needsChains: boolean): Promise<string | undefined> {
    const answer = await this.#request(own, 'admit', needsChains);
    if (!answer) return 'the conductor did not answer';
    if (answer.ok && answer.sealed !== undefined) this.#o.onSealed(answer.sealed);
    return answer.ok ? undefined : answer.reason;
  }

  /** Asks the conductor for the live chains again, sealed to `own`'s present seal key. */
  async resync(own: OwnStatement): Promise<string | undefined> {
    const answer = await this.#request(own, 'resync', true);
    if (!answer) return 'the conductor did not answer';
    if (answer.ok && answer.sealed !== undefined) this.#o.onSealed(answer.sealed);
    return answer.ok ? undefined : answer.reason;
  }

  async #request(
    own: OwnStatement,
    ask: 'admit' | 'resync',
    needsChains: boolean,
  ): Promise<ReturnType<typeof readJoinAnswer>> {
    const { bus, subjects, node } = this.#o;
    const seal = b64url(own.seal.public);
    const request = signJoin(
      { v: 1, ask, node, sid: own.statement.sid, seal, needsChains },
      own.sign,
    );
    try {
      return readJoinAnswer(await bus.request(subjects.join(node), request, ANSWER_TIMEOUT_MS));
    } catch {
      return undefined; // the bus or the conductor is away: asked again at the next slot
    }
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
