// Checks peers' evidence here, on this node (PROTOCOL 3.1, `peerVerification: evidence`): fetched
// from the bus, which is not trusted, and held against the owner-signed enrolment and policy.
import type { NodeName, Sid } from '#agent/base/brands.ts';
import { fromB64url, hex, sha256 } from '#agent/base/bytes.ts';
import { messageOf } from '#agent/base/errors.ts';
import { jcs, type Json } from '#agent/base/jcs.ts';
import type { AttestationPolicy } from '#attest/policy.ts';
import type { Revocation } from '#attest/revocation.ts';
import type { ReferencePolicy } from '#attest/policy/document.ts';
import type { TpmClock } from '#attest/tpm/attest.ts';
import { verifyEvidence, type Appraisal } from '#attest/verify.ts';
import { z } from 'zod';
import type { Bus } from './bus.ts';
import { Enrolments, type Enrolled, type EnrolmentOptions } from './enrolments.ts';
import type { RecordHistory } from './history.ts';
import { parseStatement, type Statement } from './statement.ts';
import { nodeToken, type Subjects } from './subjects.ts';

/** What came of examining one statement's evidence. */
export type Examined =
  | {
      readonly known: true;
      readonly statement: Statement;
      readonly appraisal: Appraisal;
      readonly evidenceDigest: string;
      readonly challengeRandom: string;
    }
  /** `isAbsent`: the bus did not give it now. */
  | { readonly known: false; readonly why: string; readonly isAbsent?: boolean };

export interface ExaminerOptions extends EnrolmentOptions {
  readonly bus: Bus;
  readonly subjects: Subjects;
  readonly policy: AttestationPolicy;
  /** Decides about the registers that it names, in place of enrolled values. */
  readonly reference: ReferencePolicy | undefined;
  readonly history: RecordHistory;
  /** Evidence on a record older than this is refused. */
  readonly maxAgeMs: number;
}

/** Of one TPM: a node that was enrolled with another begins anew. */
interface SeenClock {
  readonly akName: string;
  readonly issuedAtMs: number;
  readonly clock: TpmClock;
}

/** Failed examinations are repeated no sooner, so that garbage costs little. */
const RETRY_MS = 1000;
const MAX_REMEMBERED = 20_000;

const evidenceShape = z.looseObject({
  statement: z.string().max(16_384),
  challenge: z.looseObject({ random: z.string().max(64) }),
});

/** The key of a statement's evidence in the roster bucket, which only its node may write. */
export const evidenceKey = (node: NodeName, sid: Sid): string =>
  `evidence.${nodeToken(node)}.${sid}`;

export class Examiner {
  readonly #options: ExaminerOptions;
  readonly #enrolments: Enrolments;
  readonly #good = new Map<Sid, Examined & { known: true }>();
  /** By node and sid, so that a claim in another name does not stand in the way: when and why. */
  readonly #failed = new Map<string, { readonly atMs: number; readonly why: string }>();
  /** What each node's TPM said of time under its newest acceptable statement: it never goes back. */
  readonly #clocks = new Map<NodeName, SeenClock>();

  constructor(options: ExaminerOptions) {
    this.#options = options;
    this.#enrolments = new Enrolments(options);
  }

  /** A statement already examined and found acceptable. */
  remembered(sid: Sid): (Examined & { known: true }) | undefined {
    return this.#good.get(sid);
  }

  /** Enrolments.after: when a node was enrolled anew since `revocation`. */
  enrolledAfter(revocation: Revocation): Promise<number | undefined> {
    return this.#enrolments.after(revocation);
  }

  /** Enrolments.of: the enrolment of a node that counts, or why there is none. */
  enrolmentOf(node: NodeName): Promise<Enrolled | { readonly why: string }> {
    return this.#enrolments.of(node);
  }

  /** Enrolments.seen: what was last found of a node, wherever it is now. */
  seenEnrolment(node: NodeName): ReturnType<Enrolments['seen']> {
    return this.#enrolments.seen(node);
  }

  /** What was found of a node's statements counts no more. */
  forget(node: NodeName): void {
    for (const [sid, { statement }] of this.#good)
      if (statement.node === node) this.#good.delete(sid);
  }

  /** Fetches and checks the evidence of a statement; acceptable results are remembered for as long as it may count. */
  async examine(node: NodeName, sid: Sid): Promise<Examined> {
    const { clock, maxAgeMs } = this.#options;
    const good = this.#good.get(sid);
    // Evidence counts as long as an attestation does, however it was found: then it is read again, and is too old.
    const isOfNow = good !== undefined && clock.wallMs() - good.appraisal.atMs <= maxAgeMs;
    return isOfNow ? good : this.examineAgain(node, sid);
  }

  /** The same without memory: for a conductor, whose challenge the evidence must answer. */
  async examineAgain(node: NodeName, sid: Sid): Promise<Examined> {
    const { bus, subjects, clock } = this.#options;
    const nowMs = clock.monoMs();
    const failed = this.#failed.get(`${node}/${sid}`);
    if (failed && nowMs - failed.atMs < RETRY_MS) {
      return { known: false, why: failed.why, isAbsent: true };
    }
    const stored = await bus.get(subjects.buckets.roster, evidenceKey(node, sid));
    const examined =
      stored === undefined
        ? { known: false as const, why: 'its evidence is not on the bus', isAbsent: true }
        : await this.appraise(node, sid, stored.value);
    if (!examined.known || !acceptable(examined.appraisal)) {
      if (this.#failed.size >= MAX_REMEMBERED) this.#failed.clear();
      const why = examined.known ? `is ${examined.appraisal.verdict}` : examined.why;
      this.#failed.set(`${node}/${sid}`, { atMs: nowMs, why });
    }
    return examined;
  }

  /**
   * Checks evidence in hand. `fresh` is a basis that needs no record here: a node that has just been
   * given a challenge may not have heard of the record behind it yet.
   */
  async appraise(node: NodeName, sid: Sid, evidence: unknown, fresh?: string): Promise<Examined> {
    const { domain, cluster, policy, reference, history, clock, maxAgeMs } = this.#options;
    const shape = evidenceShape.safeParse(evidence);
    if (!shape.success) return { known: false, why: 'its evidence is malformed' };
    let statement: Statement;
    try {
      statement = parseStatement(fromB64url(shape.data.statement));
    } catch (cause) {
      return { known: false, why: messageOf(cause) };
    }
    if (statement.sid !== sid || statement.node !== node) {
      return { known: false, why: 'its evidence is for another statement' };
    }
    const enrolment = await this.#enrolments.of(node);
    if ('why' in enrolment) return { known: false, why: enrolment.why };
    const nowMs = clock.wallMs();
    const seen = this.#clocks.get(node);
    // Evidence of an older statement may be read late; it is older by the TPM's clock too.
    const isLater = seen?.akName === enrolment.akName && statement.issuedAtMs >= seen.issuedAtMs;
    const previousClock = isLater ? seen.clock : undefined;
    const appraisal = verifyEvidence({
      previousClock,
      evidence,
      expected: { node, domain, cluster, statementHash: sha256(statement.bytes) },
      enrolment,
      endorsedBy: enrolment.endorsedBy,
      policy,
      reference,
      acceptableBases: (basis) => basis === fresh || history.acceptable(basis, nowMs, maxAgeMs),
      nowMs,
    });
    let evidenceDigest: string;
    try {
      evidenceDigest = hex(sha256(jcs(evidence as Json)));
    } catch (cause) {
      return { known: false, why: `its evidence is malformed: ${messageOf(cause)}` };
    }
    const examined = {
      known: true as const,
      statement,
      appraisal,
      evidenceDigest,
      challengeRandom: shape.data.challenge.random,
    };
    if (acceptable(appraisal)) {
      this.#noteClock(statement, enrolment.akName, appraisal.clock);
      this.remember(examined);
    }
    return examined;
  }

  /** What was found acceptable counts for as long as an attestation does. */
  protected remember(examined: Examined & { known: true }): void {
    const oldest = this.#good.keys().next();
    if (this.#good.size >= MAX_REMEMBERED && !oldest.done) this.#good.delete(oldest.value);
    this.#good.set(examined.statement.sid, examined);
  }

  #noteClock({ node, issuedAtMs }: Statement, akName: string, clock: TpmClock | undefined): void {
    const seen = this.#clocks.get(node);
    if (!clock || (seen?.akName === akName && issuedAtMs < seen.issuedAtMs)) return;
    const oldest = this.#clocks.keys().next();
    if (this.#clocks.size >= MAX_REMEMBERED && !oldest.done) this.#clocks.delete(oldest.value);
    this.#clocks.set(node, { akName, issuedAtMs, clock });
  }
}

/** Verdicts under which a node may hold lanes; what is not checked is then shown, not hidden. */
export const acceptable = (appraisal: Appraisal): boolean =>
  appraisal.verdict === 'affirming' || appraisal.verdict === 'warning';
