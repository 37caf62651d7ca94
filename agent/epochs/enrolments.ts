// Enrolments as an examiner reads them: from the bus, which is not trusted. What an owner signed counts,
// and the newest that was seen of a node: an older one would bring back a TPM or a boot state that an
// owner has replaced.
import type { SigningPublic } from '#agent/base/asymmetric.ts';
import type { NodeName } from '#agent/base/brands.ts';
import type { Clock } from '#agent/base/clock.ts';
import { messageOf } from '#agent/base/errors.ts';
import { readEnrolment, type Enrolment } from '#attest/enrolment.ts';
import { isInForce, isRevoked, voidNow, type Revocation } from '#attest/revocation.ts';

export interface EnrolmentOptions {
  readonly owners: readonly SigningPublic[];
  readonly domain: string;
  readonly cluster: string;
  /** The signed enrolment of a node, from wherever it is kept; undefined when there is none. */
  readonly enrolmentOf: (node: NodeName) => Promise<unknown>;
  /** The newest revocation of a node. */
  readonly revocationOf: (node: NodeName) => Revocation | undefined;
  readonly clock: Clock;
}

/** Nodes of which the newest enrolment is remembered; an owner signed for each of them. */
const MAX_NODES = 20_000;

export class Enrolments {
  readonly #o: EnrolmentOptions;
  /** When the newest enrolment of each node was signed, unix milliseconds. */
  readonly #newestMs = new Map<NodeName, number>();

  constructor(options: EnrolmentOptions) {
    this.#o = options;
  }

  /** The enrolment of `node` that counts, or one clause on why there is none. */
  async of(node: NodeName): Promise<Enrolment | { readonly why: string }> {
    const document = await this.#o.enrolmentOf(node);
    if (document === undefined) return { why: `${node} is not enrolled` };
    let enrolment: Enrolment;
    try {
      enrolment = readEnrolment(document, this.#o.owners);
    } catch (cause) {
      return { why: messageOf(cause) };
    }
    const { issuedAt, domain, cluster } = enrolment;
    const isOfNode = enrolment.node === node;
    // Another's is refused by whoever appraises the evidence, and must not count for this node.
    if (!isOfNode || domain !== this.#o.domain || cluster !== this.#o.cluster) return enrolment;
    const revocation = this.#o.revocationOf(node);
    const nowMs = this.#o.clock.wallMs();
    if (revocation && isRevoked(enrolment, revocation, nowMs)) {
      return { why: revokedText(revocation, nowMs) };
    }
    const newestMs = this.#newestMs.get(node) ?? issuedAt;
    if (issuedAt < newestMs) {
      const times = `of ${isoTime(issuedAt)}, and an owner has signed one of ${isoTime(newestMs)} since`;
      return {
        why: `its enrolment is ${times}: give the node that one (attestation.enrolmentFile)`,
      };
    }
    const oldest = this.#newestMs.keys().next();
    this.#newestMs.delete(node);
    if (this.#newestMs.size >= MAX_NODES && !oldest.done) this.#newestMs.delete(oldest.value);
    this.#newestMs.set(node, issuedAt);
    return enrolment;
  }

  /** When a node was enrolled, unix milliseconds, where that is later than `revocation`; undefined: it is revoked. */
  async after(revocation: Revocation): Promise<number | undefined> {
    const { node } = revocation;
    const upTo = voidNow(revocation, this.#o.clock.wallMs()) ?? -1;
    if (!this.#newestMs.has(node)) await this.of(node);
    const newestMs = this.#newestMs.get(node);
    return newestMs !== undefined && newestMs > upTo ? newestMs : undefined;
  }
}

const isoTime = (unixMs: number): string => new Date(unixMs).toISOString();

/** Why a node is out, as one clause. */
export function revokedText(revocation: Revocation, nowMs: number): string {
  const { reason, issuedAt, until, revokedAt } = revocation;
  if (until === undefined) return `was revoked by an owner at ${isoTime(issuedAt)}: ${reason}`;
  return isInForce(revocation, nowMs)
    ? `was quarantined by an owner at ${isoTime(issuedAt)} until ${isoTime(until)}: ${reason}`
    : `was revoked by an owner at ${isoTime(revokedAt ?? issuedAt)}`;
}
