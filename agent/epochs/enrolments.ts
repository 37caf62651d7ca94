// Enrolments as an examiner reads them: from the bus, which is not trusted. What an owner signed counts, or what two
// agents endorsed where owners delegated it; and the newest that was seen of a node: an older one would bring back a
// TPM or a boot state that an owner has replaced.
import { hex, sha256 } from '#agent/base/bytes.ts';
import type { SigningPublic } from '#agent/base/asymmetric.ts';
import type { NodeName } from '#agent/base/brands.ts';
import type { Clock } from '#agent/base/clock.ts';
import { messageOf } from '#agent/base/errors.ts';
import { jcs, type Json } from '#agent/base/jcs.ts';
import { isEndorsed, readEndorsed, type Endorsed } from '#attest/endorsed.ts';
import { readEnrolment, type Enrolment } from '#attest/enrolment.ts';
import type { AttestationPolicy } from '#attest/policy.ts';
import { isInForce, isRevoked, voidNow, voidUpTo, type Revocation } from '#attest/revocation.ts';

export interface EnrolmentOptions {
  readonly owners: readonly SigningPublic[];
  readonly domain: string;
  readonly cluster: string;
  /** Of the owners of this cluster: what endorsers had to be. */
  readonly policy: Pick<AttestationPolicy, 'bank' | 'enforce'>;
  /** Whether this node takes the word of two agents where owners delegated it; absent: that of owners alone. */
  readonly takesEndorsed?: boolean;
  /** The signed enrolment of a node, from wherever it is kept; undefined when there is none. */
  readonly enrolmentOf: (node: NodeName) => Promise<unknown>;
  /** The newest revocation of a node. */
  readonly revocationOf: (node: NodeName) => Revocation | undefined;
  readonly clock: Clock;
}

/** An enrolment that counts. */
export type Enrolled = Enrolment & {
  /** Nodes that endorsed it; absent: an owner signed it himself. */
  readonly endorsedBy?: readonly NodeName[];
};

/** What was last found of a node. */
interface Seen {
  /** When the newest enrolment of it was made, unix milliseconds. */
  readonly issuedAt: number;
  readonly akName: string;
  readonly isByOwner: boolean;
}

/** Nodes of which the newest enrolment is remembered; an owner signed for each of them, or two nodes of his. */
const MAX_NODES = 20_000;
/** Documents by two agents that were found in order, so that each is verified once. */
const MAX_READ = 4096;

export class Enrolments {
  readonly #o: EnrolmentOptions;
  readonly #newest = new Map<NodeName, Seen>();
  readonly #read = new Map<string, Endorsed>();

  constructor(options: EnrolmentOptions) {
    this.#o = options;
  }

  /** The enrolment of `node` that counts, or one clause on why there is none. */
  async of(node: NodeName): Promise<Enrolled | { readonly why: string }> {
    const document = await this.#o.enrolmentOf(node);
    if (document === undefined) return { why: `${node} is not enrolled` };
    let read: Pick<Endorsed, 'enrolment'> & Partial<Endorsed>;
    try {
      read = isEndorsed(document)
        ? this.#endorsed(document)
        : { enrolment: readEnrolment(document, this.#o.owners) };
    } catch (cause) {
      return { why: messageOf(cause) };
    }
    const { enrolment, endorsers } = read;
    const { issuedAt, akName, domain, cluster } = enrolment;
    const isOfNode = enrolment.node === node;
    // Another's is refused by whoever appraises the evidence, and must not count for this node.
    if (!isOfNode || domain !== this.#o.domain || cluster !== this.#o.cluster) return enrolment;
    const why =
      endorsers === undefined
        ? this.#revoked(enrolment)
        : (this.#endedFor(enrolment) ?? this.#endedBy(endorsers));
    if (why !== undefined) return { why };
    const isByOwner = endorsers === undefined;
    const newest = this.#newest.get(node);
    if (newest?.isByOwner && !isByOwner) {
      return { why: `an owner has enrolled it, too: ${GIVE_IT}` };
    }
    if (newest?.isByOwner === isByOwner && issuedAt < newest.issuedAt) {
      const who = isByOwner ? 'an owner has signed' : 'two nodes have endorsed';
      const times = `of ${isoTime(issuedAt)}, and ${who} one of ${isoTime(newest.issuedAt)} since`;
      return { why: `its enrolment is ${times}: ${GIVE_IT}` };
    }
    this.#note(node, { issuedAt, akName, isByOwner });
    return endorsers ? { ...enrolment, endorsedBy: endorsers.map((each) => each.node) } : enrolment;
  }

  /** What was last found of a node, wherever it is now. */
  seen(node: NodeName): Pick<Seen, 'akName' | 'isByOwner'> | undefined {
    return this.#newest.get(node);
  }

  /** When a node was enrolled, unix milliseconds, where that is later than `revocation`; undefined: it is revoked. */
  async after(revocation: Revocation): Promise<number | undefined> {
    const { node } = revocation;
    const upTo = voidNow(revocation, this.#o.clock.wallMs());
    if (!this.#newest.has(node)) await this.of(node);
    const newest = this.#newest.get(node);
    if (newest === undefined || (!newest.isByOwner && upTo !== undefined)) return undefined;
    return newest.issuedAt > (upTo ?? -1) ? newest.issuedAt : undefined;
  }

  #endorsed(document: unknown): Endorsed {
    const { owners, policy, takesEndorsed = false } = this.#o;
    if (!takesEndorsed) throw new RangeError(NOT_TAKEN);
    const digest = hex(sha256(jcs(document as Json)));
    const known = this.#read.get(digest);
    if (known) return known;
    const read = readEndorsed(document, { owners, policy });
    const oldest = this.#read.keys().next();
    if (this.#read.size >= MAX_READ && !oldest.done) this.#read.delete(oldest.value);
    this.#read.set(digest, read);
    return read;
  }

  #revoked(enrolment: Enrolment): string | undefined {
    const revocation = this.#o.revocationOf(enrolment.node);
    const nowMs = this.#o.clock.wallMs();
    return revocation && isRevoked(enrolment, revocation, nowMs)
      ? revokedText(revocation, nowMs)
      : undefined;
  }

  /** Two agents bring nobody back whom an owner has put out, however late they endorse it. */
  #endedFor({ node }: Enrolment): string | undefined {
    const revocation = this.#o.revocationOf(node);
    const nowMs = this.#o.clock.wallMs();
    return revocation && putsOut(revocation, nowMs) ? revokedText(revocation, nowMs) : undefined;
  }

  /** What a node has said counts no longer than what its owners have said of it; its boot state may be another by now. */
  #endedBy(endorsers: Endorsed['endorsers']): string | undefined {
    for (const endorser of endorsers) {
      const why = this.#revoked(endorser);
      if (why !== undefined) return `${endorser.node}, which endorsed it, ${why}: ${ASK_AGAIN}`;
      const newest = this.#newest.get(endorser.node);
      if (newest?.isByOwner && newest.akName !== endorser.akName) {
        return `${endorser.node}, which endorsed it, has another TPM by now: ${ASK_AGAIN}`;
      }
    }
    return undefined;
  }

  #note(node: NodeName, seen: Seen): void {
    const oldest = this.#newest.keys().next();
    this.#newest.delete(node);
    if (this.#newest.size >= MAX_NODES && !oldest.done) this.#newest.delete(oldest.value);
    this.#newest.set(node, seen);
  }
}

/** Whether a node is out at `nowMs` whatever others than owners say. */
export const putsOut = (revocation: Revocation, nowMs: number): boolean =>
  isInForce(revocation, nowMs) || voidUpTo(revocation) !== undefined;

const GIVE_IT = 'give the node that one (attestation.enrolmentFile)';
const ASK_AGAIN =
  'move its enrolment away (attestation.enrolmentFile) and start its agent anew, so that it asks two others; or have an owner enrol it';
const NOT_TAKEN =
  'it is enrolled by two agents, which counts only where attestation.delegationFile is set';

const isoTime = (unixMs: number): string => new Date(unixMs).toISOString();

/** Why a node is out, as one clause. */
export function revokedText(revocation: Revocation, nowMs: number): string {
  const { reason, issuedAt, until, revokedAt } = revocation;
  if (until === undefined) return `was revoked by an owner at ${isoTime(issuedAt)}: ${reason}`;
  return isInForce(revocation, nowMs)
    ? `was quarantined by an owner at ${isoTime(issuedAt)} until ${isoTime(until)}: ${reason}`
    : `was revoked by an owner at ${isoTime(revokedAt ?? issuedAt)}`;
}
