// What a member does for a node that no owner has enrolled (PROTOCOL 3.10): it convinces itself that one TPM holds the EK of
// a maker that owners name and the key that is to attest, and endorses. In doubt it does not; it believes nobody else's word.
import type { NodeName, Slot } from '#agent/base/brands.ts';
import { b64url, fromB64url, type Bytes } from '#agent/base/bytes.ts';
import type { Clock } from '#agent/base/clock.ts';
import { messageOf } from '#agent/base/errors.ts';
import type { Json } from '#agent/base/jcs.ts';
import type { SignedDocument } from '#agent/base/signed.ts';
import type { Log } from '#agent/log.ts';
import { hasReferenceOf, namesObjection, type Delegation } from '#attest/delegation.ts';
import { isSecret, readCandidate, type Candidate } from '#attest/endorse.ts';
import {
  endorsementData,
  readEndorsed,
  readEndorsement,
  type Endorsement,
  type EndorsementTerms,
} from '#attest/endorsed.ts';
import type { Enrolment } from '#attest/enrolment.ts';
import type { Revocation } from '#attest/revocation.ts';
import type { SelfAttestation } from './attestor.ts';
import type { Bus } from './bus.ts';
import {
  readEnrolAsk,
  SECRET_BYTES,
  type CredentialAnswer,
  type CredentialAsk,
  type EndorseAnswer,
  type EndorseAsk,
} from './enrolAsk.ts';
import { putsOut, revokedText } from './enrolments.ts';
import type { Examiner } from './examiner.ts';
import type { RecordFollower } from './follower.ts';
import { Quota } from './quota.ts';
import {
  enrolmentStream,
  enrolmentSubject,
  nodeToken,
  speakerOn,
  type Subjects,
} from './subjects.ts';

/** What makes a node one that endorses. */
export interface Endorsing {
  /** As an owner signed it, and what it says. */
  readonly delegation: { readonly document: SignedDocument; readonly delegation: Delegation };
  /** This node's own enrolment, by an owner. */
  readonly enrolment: Enrolment;
  readonly terms: EndorsementTerms;
  /** Has this node's TPM sign for `binding`. */
  readonly endorse: (binding: Bytes) => Promise<Endorsement>;
}

export interface EndorserOptions extends Endorsing {
  readonly bus: Pick<Bus, 'respond' | 'subjects' | 'get'>;
  readonly subjects: Subjects;
  readonly attestor: {
    readonly current: unknown;
    readonly state: Pick<SelfAttestation, 'verdict'>;
  };
  /** Statements of this node that records list. */
  readonly own: { readonly listed: readonly unknown[] };
  readonly follower: Pick<RecordFollower, 'roster'>;
  readonly examiner: Pick<Examiner, 'enrolmentOf' | 'seenEnrolment'>;
  readonly revocations: { of(node: NodeName): Revocation | undefined };
  readonly clock: Clock;
  readonly log: Log;
  readonly random: (bytes: number) => Buffer;
  readonly node: NodeName;
}

const MINUTE_MS = 60_000;
/** Requests that are looked at in a minute, of one asker and of all; each of a credential costs a certificate chain. */
const MAX_ASKS_OF_EACH = 6;
const MAX_ASKS = 60;
/** Quotes of this node's TPM in a minute, of one asker and of all: its own attestation goes before. */
const MAX_QUOTES_OF_EACH = 2;
const MAX_QUOTES = 6;
/** Credentials that are out, one of each asker, and how long each can be shown. */
const MAX_PENDING = 60;
const PENDING_MS = MINUTE_MS;
/** How far the asker's clock may be from this one's. */
const MAX_OFF_MS = 5 * MINUTE_MS;

interface Pending extends Pick<Candidate, 'ekDigest' | 'akName'> {
  readonly secret: Buffer;
  readonly untilMs: number;
}

type Answer = CredentialAnswer | EndorseAnswer;

export class Endorser {
  readonly #o: EndorserOptions;
  readonly #asks = new Quota(MAX_ASKS_OF_EACH, MAX_ASKS);
  readonly #quotes = new Quota(MAX_QUOTES_OF_EACH, MAX_QUOTES);
  readonly #pending = new Map<NodeName, Pending>();
  #isQuoting = false;

  constructor(options: EndorserOptions) {
    this.#o = options;
  }

  start(): void {
    const { bus, subjects, node } = this.#o;
    bus.respond(subjects.enrolOfAny(node), (value, asked) => this.#onAsk(value, asked));
  }

  async #onAsk(value: unknown, asked: string): Promise<Json | undefined> {
    const from = speakerOn(asked);
    if (!from || !this.#asks.take(from, this.#minute())) return undefined;
    const ask = readEnrolAsk(value);
    if (ask?.node !== from) return undefined;
    const answer = await this.#answer(ask);
    if (!answer.ok) {
      const text = `did not endorse ${from}: ${answer.reason}`;
      this.#o.log.warn('endorsement.refused', { node: from, text });
    }
    return answer;
  }

  async #answer(ask: CredentialAsk | EndorseAsk): Promise<Answer> {
    try {
      const why = this.#objection(ask.node);
      if (why !== undefined) return refusal(why);
      const before = await this.#enrolledBefore(ask.node);
      if ('why' in before) return refusal(before.why);
      return ask.ask === 'credential'
        ? this.#credential(ask, before.akName)
        : await this.#endorsement(ask);
    } catch (cause) {
      return refusal(messageOf(cause));
    }
  }

  /** Why this node does not endorse one of that name, whatever its TPM. */
  #objection(asker: NodeName): string | undefined {
    const { attestor, own, follower, delegation, enrolment, revocations, clock, node } = this.#o;
    const { verdict } = attestor.state;
    const isAttested = verdict === 'affirming' || verdict === 'warning';
    if (!isAttested || !attestor.current || own.listed.length === 0) {
      return `${node} is not a member itself now`;
    }
    if (asker === node) return 'a node does not endorse itself';
    const nowMs = clock.wallMs();
    const { domain, cluster } = enrolment;
    const why = namesObjection(delegation.delegation, { node: asker, domain, cluster }, nowMs);
    if (why !== undefined) return why;
    const revocation = revocations.of(asker);
    if (revocation && putsOut(revocation, nowMs)) {
      return `it ${revokedText(revocation, nowMs)}; an owner alone brings it back`;
    }
    if (follower.roster.get(asker)) return 'a node of that name is a member now';
    return this.#o.examiner.seenEnrolment(asker)?.isByOwner ? BY_OWNER : undefined;
  }

  /**
   * The key with which two agents have enrolled the name before, if they have; `why`: it is not theirs to enrol. Whoever may
   * write under a name on the bus can put anything there but an emptiness: what cannot be read counts against it.
   */
  async #enrolledBefore(
    asker: NodeName,
  ): Promise<{ readonly akName: string | undefined } | { readonly why: string }> {
    const { bus, subjects, examiner, terms } = this.#o;
    const token = nodeToken(asker);
    const subject = enrolmentSubject(subjects, token);
    const stored = await bus.subjects(enrolmentStream(subjects), 1, subject);
    if (stored === undefined) return { why: 'the bus does not say whether it is enrolled' };
    if (stored.length === 0) return { akName: examiner.seenEnrolment(asker)?.akName };
    const found = await examiner.enrolmentOf(asker);
    if (!('why' in found) && found.node === asker) {
      return found.endorsedBy ? found : { why: BY_OWNER };
    }
    try {
      // It may count no more, since an endorser is out: then it is asked for anew, by the same TPM.
      const held = (await bus.get(subjects.buckets.enrolment, token))?.value;
      const { enrolment } = readEndorsed(held, terms);
      return enrolment.node === asker ? enrolment : { why: UNREADABLE };
    } catch {
      return { why: UNREADABLE };
    }
  }

  #credential(ask: CredentialAsk, akName: string | undefined): CredentialAnswer {
    const { delegation, clock, random } = this.#o;
    const candidate = readCandidate(
      delegation.delegation,
      fromB64url(ask.ekCertificate),
      fromB64url(ask.akPublic),
      clock.wallMs(),
    );
    if ('why' in candidate) return refusal(candidate.why);
    if (akName !== undefined && akName !== candidate.akName) return refusal(OTHER_TPM);
    this.#forgetOld();
    this.#pending.delete(ask.node);
    if (this.#pending.size >= MAX_PENDING) return refusal(BUSY);
    const secret = random(SECRET_BYTES);
    const untilMs = clock.monoMs() + PENDING_MS;
    const { ekDigest } = candidate;
    this.#pending.set(ask.node, { ekDigest, akName: candidate.akName, secret, untilMs });
    const { credentialBlob, encryptedSecret } = candidate.credentialOf(secret);
    const credential = {
      credentialBlob: b64url(credentialBlob),
      encryptedSecret: b64url(encryptedSecret),
    };
    return { v: 1, ok: true, reason: '', credential };
  }

  async #endorsement(ask: EndorseAsk): Promise<EndorseAnswer> {
    const { delegation, terms, log, node } = this.#o;
    this.#forgetOld();
    const pending = this.#pending.get(ask.node);
    this.#pending.delete(ask.node); // one try
    if (!pending) return refusal('no credential is out to it, or none any more');
    if (!isSecret(pending.secret, ask.secret)) {
      return refusal('the secret is not that of the credential: its TPM does not hold both keys');
    }
    const why =
      ask.payload.node === ask.node
        ? this.#payloadObjection(ask.payload, pending)
        : 'the enrolment is of another node';
    if (why !== undefined) return refusal(why);
    if (this.#isQuoting || !this.#quotes.take(ask.node, this.#minute())) return refusal(BUSY);
    const binding = endorsementData(ask.payload, delegation.document);
    this.#isQuoting = true;
    let endorsement: Endorsement;
    try {
      endorsement = await this.#o.endorse(binding);
    } finally {
      this.#isQuoting = false;
    }
    readEndorsement(endorsement, binding, terms); // one that nobody takes is not given
    const text = `${node} endorsed the enrolment of ${ask.node}, AK ${ask.payload.akName}`;
    log.info('endorsement.given', { node: ask.node, text });
    return { v: 1, ok: true, reason: '', endorsement };
  }

  /** Why what the asker wants endorsed is not what its TPM was shown to be. */
  #payloadObjection(payload: Enrolment, pending: Pending): string | undefined {
    const { delegation, enrolment, clock } = this.#o;
    if (payload.domain !== enrolment.domain || payload.cluster !== enrolment.cluster) {
      return 'the enrolment is for another cluster';
    }
    if (payload.ekDigest !== pending.ekDigest || payload.akName !== pending.akName) {
      return 'the enrolment is of another TPM or another key than the credential was made for';
    }
    if (Math.abs(payload.issuedAt - clock.wallMs()) > MAX_OFF_MS) {
      return 'the enrolment is not of now: look at the clocks of both nodes';
    }
    return (
      namesObjection(delegation.delegation, payload, payload.issuedAt) ??
      (hasReferenceOf(delegation.delegation, payload)
        ? undefined
        : 'the reference values are not those of the delegation here')
    );
  }

  #forgetOld(): void {
    const nowMs = this.#o.clock.monoMs();
    for (const [node, { untilMs }] of this.#pending) {
      if (untilMs < nowMs) this.#pending.delete(node);
    }
  }

  #minute(): Slot {
    return Math.floor(this.#o.clock.monoMs() / MINUTE_MS) as Slot;
  }
}

const BY_OWNER =
  'an owner has enrolled it, and that counts: give the node that enrolment (attestation.enrolmentFile)';
const OTHER_TPM = 'it is enrolled with another TPM: an owner has to enrol this one';
const UNREADABLE =
  'what the bus has as its enrolment is by no owner and by no two agents: an owner has to enrol it';
const BUSY = 'too many ask at once; it is asked again';

const refusal = (why: string) => ({ v: 1, ok: false, reason: why.slice(0, 2000) }) as const;
