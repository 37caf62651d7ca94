// How a node that no owner has enrolled gets two members to endorse it (PROTOCOL 3.10): whom it asks, and what it takes of
// their answers. Names come from the bus, as hints; each endorsement is verified here as everybody else will.
import type { NodeName } from '#agent/base/brands.ts';
import { b64url, fromB64url } from '#agent/base/bytes.ts';
import type { Clock } from '#agent/base/clock.ts';
import { messageOf } from '#agent/base/errors.ts';
import type { SignedDocument } from '#agent/base/signed.ts';
import { namesObjection, type Delegation } from '#attest/delegation.ts';
import { readCandidate, type Candidate } from '#attest/endorse.ts';
import {
  ENDORSED_KIND,
  endorsementData,
  isEndorsed,
  readEndorsed,
  readEndorsement,
  type EndorsedDocument,
  type Endorsement,
  type EndorsementTerms,
} from '#attest/endorsed.ts';
import { readEnrolment, type Enrolment } from '#attest/enrolment.ts';
import type { Tpm } from '#attest/tpm/tpm.ts';
import type { Bus } from './bus.ts';
import { readCredentialAnswer, readEndorseAnswer } from './enrolAsk.ts';
import {
  enrolmentStream,
  enrolmentSubject,
  nodeToken,
  speakerOn,
  type Subjects,
} from './subjects.ts';

export interface EndorsementOptions {
  readonly bus: Pick<Bus, 'connected' | 'subjects' | 'get' | 'request'>;
  readonly subjects: Subjects;
  /** Of this node. */
  readonly tpm: Pick<Tpm, 'ekCertificate' | 'ensureAk' | 'activateCredential'>;
  readonly delegation: { readonly document: SignedDocument; readonly delegation: Delegation };
  readonly terms: EndorsementTerms;
  readonly clock: Clock;
  /** From 0 to under 1. */
  readonly random: () => number;
  readonly domain: string;
  readonly cluster: string;
  readonly node: NodeName;
}

const NEEDED = 2;
/** Nodes that are asked in one round, and names that are taken from the bus. */
const MAX_ASKED = 16;
const MAX_NAMES = 20_000;
/** Reasons that are told of one round. */
const MAX_TOLD = 4;
/** A TPM takes some seconds for a quote, and is asked by others as well. */
const ANSWER_TIMEOUT_MS = 15_000;
/** Endorsers take what is of the last five minutes. */
const LIFETIME_MS = 4 * 60_000;

/** What is to be endorsed, and by whom it was. */
interface Draft {
  readonly payload: Enrolment;
  readonly ekCertificate: Buffer;
  readonly akPublic: Buffer;
  readonly given: Map<NodeName, Endorsement>;
}

export class Endorsements {
  readonly #o: EndorsementOptions;
  #draft: Draft | undefined;

  constructor(options: EndorsementOptions) {
    this.#o = options;
  }

  /**
   * Asks members until two have endorsed this node, some of them at most; or says, as clauses, what is missing. What one has
   * given counts in the next round, too. Errors: those of Tpm, EVIDENCE_MALFORMED, ATTESTATION_UNUSABLE.
   */
  async round(): Promise<EndorsedDocument | { readonly why: string }> {
    const { bus, delegation, clock, domain, cluster, node } = this.#o;
    const place = { node, domain, cluster };
    const why = namesObjection(delegation.delegation, place, clock.wallMs());
    if (why !== undefined) return { why };
    if (!bus.connected) return { why: 'the bus cannot be reached' };
    const draft = await this.#current();
    if ('why' in draft) return draft;
    const names = await this.#members();
    const refusals: string[] = [];
    for (const name of names) {
      const refusal = draft.given.has(name) ? undefined : await this.#ask(name, draft);
      if (refusal !== undefined) refusals.push(`${name}: ${refusal}`);
      if (draft.given.size < NEEDED) continue;
      const document = this.#whole(draft);
      if (!('why' in document)) return document;
      refusals.push(`${name}: ${document.why}`);
      draft.given.delete(name);
    }
    const told = refusals.slice(0, MAX_TOLD).join('; ');
    const more = refusals.length > MAX_TOLD ? `; and ${refusals.length - MAX_TOLD} more` : '';
    return { why: `${haveText(draft, names.length)}${told && `: ${told}${more}`}` };
  }

  /** A draft of now, about the TPM as it is now. */
  async #current(): Promise<Draft | { readonly why: string }> {
    const { tpm, delegation, clock, domain, cluster, node } = this.#o;
    const nowMs = clock.wallMs();
    const [ekCertificate, { publicArea: akPublic }] = [
      await tpm.ekCertificate(),
      await tpm.ensureAk(),
    ];
    const own = readCandidate(delegation.delegation, ekCertificate, akPublic, nowMs);
    if ('why' in own) return own;
    const { ekDigest, akName }: Candidate = own;
    const held = this.#draft?.payload;
    const isOfNow = held !== undefined && Math.abs(nowMs - held.issuedAt) <= LIFETIME_MS;
    if (this.#draft && isOfNow && held.ekDigest === ekDigest && held.akName === akName) {
      return this.#draft;
    }
    const { reference } = delegation.delegation;
    const payload: Enrolment = {
      v: 1,
      domain,
      cluster,
      node,
      ekDigest,
      akName,
      reference,
      issuedAt: nowMs,
    };
    this.#draft = { payload, ekCertificate, akPublic, given: new Map() };
    return this.#draft;
  }

  /** Nodes that an owner has enrolled, some of them, in no order; those that have endorsed it already among them. */
  async #members(): Promise<NodeName[]> {
    const { bus, subjects, random, node } = this.#o;
    const filter = enrolmentSubject(subjects, '>');
    const stored = (await bus.subjects(enrolmentStream(subjects), MAX_NAMES, filter)) ?? [];
    const names = stored.flatMap((subject) => speakerOn(subject) ?? []);
    const order = names
      .filter((name) => name !== node)
      .map((name) => ({ name, at: this.#draft?.given.has(name) ? -1 : random() }))
      .toSorted((a, b) => a.at - b.at);
    const found: NodeName[] = [];
    for (const { name } of order.slice(0, 2 * MAX_ASKED)) {
      if (found.length < MAX_ASKED && (await this.#isByOwner(name))) found.push(name);
    }
    return found;
  }

  async #isByOwner(name: NodeName): Promise<boolean> {
    const { bus, subjects, terms, domain, cluster } = this.#o;
    const document = (await bus.get(subjects.buckets.enrolment, nodeToken(name)))?.value;
    if (document === undefined || isEndorsed(document)) return false;
    try {
      const read = readEnrolment(document, terms.owners);
      return read.node === name && read.domain === domain && read.cluster === cluster;
    } catch {
      return false; // whatever it is, no owner signed it
    }
  }

  /** Has one member convince itself and endorse; why not is one clause. */
  async #ask(to: NodeName, draft: Draft): Promise<string | undefined> {
    try {
      return await this.#askNow(to, draft);
    } catch (cause) {
      return messageOf(cause);
    }
  }

  async #askNow(to: NodeName, draft: Draft): Promise<string | undefined> {
    const { bus, subjects, tpm, delegation, terms, node } = this.#o;
    const { payload, ekCertificate, akPublic, given } = draft;
    const subject = subjects.enrol(to, node);
    const credentialAsk = {
      v: 1,
      ask: 'credential',
      node,
      ekCertificate: b64url(ekCertificate),
      akPublic: b64url(akPublic),
    };
    const offered = readCredentialAnswer(
      await bus.request(subject, credentialAsk, ANSWER_TIMEOUT_MS),
    );
    if (!offered?.ok || !offered.credential) return offered?.reason ?? NO_ANSWER;
    const secret = await tpm.activateCredential({
      credentialBlob: fromB64url(offered.credential.credentialBlob),
      encryptedSecret: fromB64url(offered.credential.encryptedSecret),
    });
    const endorseAsk = { v: 1, ask: 'endorse', node, secret: b64url(secret), payload };
    const answer = readEndorseAnswer(await bus.request(subject, endorseAsk, ANSWER_TIMEOUT_MS));
    if (!answer?.ok || !answer.endorsement) return answer?.reason ?? NO_ANSWER;
    const { endorsement } = answer;
    const binding = endorsementData(payload, delegation.document);
    const endorser = readEndorsement(endorsement, binding, terms);
    if (endorser.node !== to) return `it gave an endorsement of ${endorser.node}`;
    given.set(to, endorsement);
    return undefined;
  }

  /** The document, if the others will take it. */
  #whole({ payload, ekCertificate, given }: Draft): EndorsedDocument | { readonly why: string } {
    const [first, second] = [...given.values()];
    if (!first || !second) return { why: 'one is missing' };
    const document: EndorsedDocument = {
      v: 1,
      kind: ENDORSED_KIND,
      payload,
      ekCertificate: b64url(ekCertificate),
      delegation: this.#o.delegation.document,
      endorsements: [first, second],
    };
    try {
      readEndorsed(document, this.#o.terms);
      return document;
    } catch (cause) {
      return { why: messageOf(cause) };
    }
  }
}

const NO_ANSWER = 'its answer cannot be read';

const haveText = ({ given }: Draft, asked: number): string =>
  asked === 0
    ? 'nobody whom an owner has enrolled is on the bus, and two such members have to endorse it'
    : `${given.size === 0 ? 'none has' : `only ${[...given.keys()].join(', ')} has`} endorsed it, and it takes ${NEEDED} members whom an owner has enrolled; ${asked} ${asked === 1 ? 'was' : 'were'} asked`;
