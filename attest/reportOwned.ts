// The enrolment and the policy inside a report: whether owners that the reader trusts signed them, and
// what they say in either case. Unsigned by these owners they are a claim that nobody vouches for.
import { signingKeyId, type SigningPublic } from '#agent/base/asymmetric.ts';
import { hex } from '#agent/base/bytes.ts';
import type { Json } from '#agent/base/jcs.ts';
import { b64Text } from '#agent/base/schema.ts';
import { documentHash, verifyDocument, type SignedDocument } from '#agent/base/signed.ts';
import { z } from 'zod';
import { fail, notChecked, pass, type Check } from './check.ts';
import type { NodeName } from '#agent/base/brands.ts';
import { messageOf } from '#agent/base/errors.ts';
import { DELEGATION_KIND } from './delegation.ts';
import { isEndorsed, readEndorsed, type Endorsed } from './endorsed.ts';
import { ENROLMENT_KIND, enrolmentSchema, type Enrolment } from './enrolment.ts';
import { POLICY_KIND, policySchema, type AttestationPolicy } from './policy.ts';

/** What owners said of a node, or are claimed to have said. */
export interface OwnersWord {
  readonly checks: readonly Check[];
  readonly enrolment: Enrolment | undefined;
  /** Nodes that endorsed the enrolment as an owner allowed; none: an owner signed it himself. */
  readonly endorsedBy: readonly NodeName[];
  readonly policy: AttestationPolicy | undefined;
  /** Of the policy document, hex: what a challenge rests on before there are records (PROTOCOL 2). */
  readonly policyHash: string | undefined;
  /** Key id of the one owner of the reader who signed both; undefined when none did. */
  readonly owner: string | undefined;
}

interface Part<T> {
  readonly check: Check;
  /** Key ids of the reader's owners who signed it. */
  readonly signers: readonly string[];
  readonly value: T | undefined;
  readonly endorsedBy?: readonly NodeName[];
}

/** Reads both documents of a report under `owners`. Never throws. */
export function ownersWord(
  from: { readonly enrolment: Json; readonly policy: Json },
  owners: readonly SigningPublic[],
): OwnersWord {
  const policy = partOf(from.policy, POLICY_KIND, 'policy', policySchema, owners);
  const enrolment = isEndorsed(from.enrolment)
    ? endorsedPart(from.enrolment, policy.value, owners)
    : partOf(from.enrolment, ENROLMENT_KIND, 'enrolment', enrolmentSchema, owners);
  const owner = enrolment.signers.find((keyId) => policy.signers.includes(keyId));
  return {
    checks: [enrolment.check, policy.check, ...ownerCheck(enrolment, policy, owner)],
    enrolment: enrolment.value,
    endorsedBy: enrolment.endorsedBy ?? [],
    policy: policy.value,
    policyHash: policy.value && hex(documentHash(from.policy as SignedDocument)), // it has that shape
    owner,
  };
}

type Signed = Pick<Part<unknown>, 'signers'>;

/**
 * Whether both documents have an owner in common; nothing where one has none at all. A reader may trust
 * owners of several clusters, each for its own: the word of one says nothing about the other's nodes.
 */
function ownerCheck(enrolment: Signed, policy: Signed, owner: string | undefined): Check[] {
  if (enrolment.signers.length === 0 || policy.signers.length === 0) return [];
  if (owner !== undefined) {
    return [pass('owner', `Owner ${owner} signed both, enrolment and policy.`)];
  }
  const text = `The enrolment is by owner ${enrolment.signers.join(', ')}, the policy by ${policy.signers.join(', ')}: nothing says that both speak for one cluster. Have the owner of the policy enrol the node.`;
  return [fail('owner', text, 'none')];
}

/** Enough of a signed document to read it without believing it. */
const claimed = z.looseObject({
  v: z.literal(1),
  kind: z.string(),
  payload: z.unknown(),
  signatures: z.array(z.looseObject({ keyId: b64Text(16) })).max(8),
});

function partOf<T>(
  document: Json,
  kind: string,
  noun: string,
  schema: z.ZodType<T>,
  owners: readonly SigningPublic[],
): Part<T> {
  const name = `${noun} signature`;
  const shape = claimed.safeParse(document);
  const read = schema.safeParse(shape.data?.payload);
  if (!read.success || shape.data?.kind !== kind) {
    const check = fail(name, `The report holds no ${noun} that can be read.`);
    return { check, signers: [], value: undefined };
  }
  const value = read.data;
  const named = [...new Set(shape.data.signatures.map(({ keyId }) => keyId))].join(', ');
  if (owners.length === 0) {
    const text = `No owner key was given (--owner): the ${noun} says that it is by ${named || 'nobody'}, and anybody could have written that.`;
    return { check: notChecked(name, text, 'none'), signers: [], value };
  }
  const signers = owners.filter((owner) => isSignedBy(document, kind, owner)).map(signingKeyId);
  const check =
    signers.length === 0
      ? fail(
          name,
          `The ${noun} is by ${named || 'nobody'}; no owner that was given (${owners.map(signingKeyId).join(', ')}) signed it.`,
        )
      : pass(name, `Ed25519 and ML-DSA-65 of owner ${signers.join(', ')} verify.`);
  return { check, signers, value };
}

const ENDORSED = 'enrolment signature';
/** Enough of an enrolment by two agents to read it without believing it. */
const claimedEndorsed = z.looseObject({ payload: enrolmentSchema, delegation: z.json() });

/** An enrolment by two agents: its signers are the owners who delegated it. */
function endorsedPart(
  document: Json,
  policy: AttestationPolicy | undefined,
  owners: readonly SigningPublic[],
): Part<Enrolment> {
  const read = claimedEndorsed.safeParse(document);
  if (!read.success || policy === undefined) {
    const check = fail(ENDORSED, 'The report holds no enrolment that can be read.');
    return { check, signers: [], value: undefined };
  }
  const value = read.data.payload;
  if (owners.length === 0) {
    const text =
      'No owner key was given (--owner): the enrolment says that two agents endorsed it, and anybody could have written that.';
    return { check: notChecked(ENDORSED, text, 'none'), signers: [], value };
  }
  let endorsed: Endorsed;
  try {
    endorsed = readEndorsed(document, { owners, policy });
  } catch (error) {
    return { check: fail(ENDORSED, `${messageOf(error)}.`), signers: [], value };
  }
  const signers = owners
    .filter((owner) => isSignedBy(read.data.delegation, DELEGATION_KIND, owner))
    .map(signingKeyId);
  const endorsedBy = endorsed.endorsers.map(({ node }) => node);
  const text = `The TPMs of ${endorsedBy.join(' and ')} signed it, to whom owner ${signers.join(', ')} delegated it.`;
  return { check: pass(ENDORSED, text), signers, value, endorsedBy };
}

function isSignedBy(document: Json, kind: string, owner: SigningPublic): boolean {
  try {
    verifyDocument(document, kind, [owner]);
    return true;
  } catch {
    return false; // malformed or by somebody else: not by this owner
  }
}
