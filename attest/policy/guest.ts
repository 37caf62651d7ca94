// What a reference policy asks of SEV-SNP and TDX guests, for those who judge one. Where no owner is named,
// a file that is such a guest's policy itself passes as it is: then its reader vouches for it.
import type { SigningPublic } from '#agent/base/asymmetric.ts';
import { utf8, type Bytes } from '#agent/base/bytes.ts';
import { TidelockError } from '#agent/base/errors.ts';
import { canonical } from '#agent/base/jcs.ts';
import { MAX_POLICY_BYTES, readBounded } from '#attest/boundedJson.ts';
import { readReferencePolicy, REFERENCE_KIND } from './document.ts';

/**
 * The JSON of a guest's policy, out of either file. With owners only what one of them signed counts.
 * Errors: DOCUMENT_MALFORMED, SIGNATURE_INVALID; POLICY_INVALID when it asks nothing of such guests.
 */
export function guestPolicy(
  bytes: Bytes,
  section: 'snp' | 'tdx',
  owners: readonly SigningPublic[],
): Bytes {
  const document = documentIn(bytes);
  if (document === undefined) {
    if (owners.length === 0) return bytes;
    throw new TidelockError('SIGNATURE_INVALID', {
      op: 'evidence.policy',
      message: `Cannot judge by the ${section} policy: no owner signed it, and owners are named`,
      hint: `Give a reference policy with a section ${section} that an owner signed (docs/evidence/policy.md), or leave --owner out to vouch for the file yourself.`,
    });
  }
  const reference = readReferencePolicy(document, owners);
  const policy = reference[section];
  if (policy !== undefined) return utf8(canonical(policy));
  throw new TidelockError('POLICY_INVALID', {
    op: 'evidence.policy',
    message: `Cannot judge by reference policy ${reference.name}: it has no section ${section}`,
    hint: 'Add one to its draft, and have an owner sign that: docs/evidence/policy.md.',
  });
}

/** Undefined for whatever does not say that it is a reference policy. */
function documentIn(bytes: Bytes): unknown {
  const json = readBounded(bytes, MAX_POLICY_BYTES);
  if ('why' in json) return undefined; // its reader says what is wrong with it
  const { value } = json;
  const isReference =
    typeof value === 'object' && value !== null && 'kind' in value && value.kind === REFERENCE_KIND;
  return isReference ? value : undefined;
}
