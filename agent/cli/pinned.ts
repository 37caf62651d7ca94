// Whether what an owner signs here would count: the nodes take the word of pinned keys alone.
import { signingKeyId, type SigningKey } from '#agent/base/asymmetric.ts';
import { TidelockError } from '#agent/base/errors.ts';
import type { Config } from '#agent/config.ts';

/** `what`: what is wanted, such as `enrol node-a`. Errors: OWNER_KEY_INVALID. */
export function requirePinned(owner: SigningKey, { owners }: Config, what: string): void {
  if (owners.some((pinned) => signingKeyId(pinned) === owner.keyId)) return;
  throw new TidelockError('OWNER_KEY_INVALID', {
    op: 'owner.pinned',
    message: `Cannot ${what}: owner ${owner.keyId} is not among the owners of the configuration`,
    hint: `It names ${owners.map(signingKeyId).join(', ')}. Use the key of one of these, or add this one's owner.pub on every node.`,
  });
}
