// Owner key files: `owner.key` with the seeds, kept off the cluster, and `owner.pub`, which every
// node's configuration pins. Nothing here signs; whoever reads a key file holds the owner's power.
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import {
  signingKeyFromSeeds,
  signingKeyId,
  type SigningKey,
  type SigningPublic,
} from '#agent/base/asymmetric.ts';
import { b64url, fromB64url } from '#agent/base/bytes.ts';
import { messageOf, TidelockError } from '#agent/base/errors.ts';
import { b64Text, parseAs } from '#agent/base/schema.ts';
import { writeNew } from './newFile.ts';

const SEED_BYTES = 32;
const MLDSA65_PUBLIC_BYTES = 1952;

const ownerPublicSchema = z.strictObject({
  apiVersion: z.literal('tidelock/v1'),
  kind: z.literal('OwnerPublicKey'),
  keyId: z.string(),
  ed25519: b64Text(SEED_BYTES),
  mldsa65: b64Text(MLDSA65_PUBLIC_BYTES),
});

/** Only says that it wants to be an `owner.pub`. */
const publicKindSchema = z.object({ kind: ownerPublicSchema.shape.kind });

const ownerKeySchema = z.strictObject({
  apiVersion: z.literal('tidelock/v1'),
  kind: z.literal('OwnerKey'),
  keyId: z.string(),
  ed25519: b64Text(SEED_BYTES),
  mldsa65: b64Text(SEED_BYTES),
});

/** Only says that it wants to be an `owner.key`. */
const secretKindSchema = z.object({ kind: ownerKeySchema.shape.kind });

/**
 * The public halves in an `owner.pub`.
 * Errors: OWNER_KEY_INVALID when it is missing, is an `owner.key` or something else, or does not match its
 * own key id.
 */
export async function readOwnerPublic(file: string): Promise<SigningPublic> {
  const json = await readJson(file);
  if (secretKindSchema.safeParse(json).success) throw secretHalf(file);
  const text = parseAs(ownerPublicSchema, json, failure(file));
  const key = { ed25519: fromB64url(text.ed25519), mldsa65: fromB64url(text.mldsa65) };
  return matchingId(file, text.keyId, signingKeyId(key), key);
}

/** The signing key in an `owner.key`. Errors: OWNER_KEY_INVALID as above, or when it is an `owner.pub`. */
export async function readOwnerKey(file: string): Promise<SigningKey> {
  const json = await readJson(file);
  if (publicKindSchema.safeParse(json).success) throw publicHalf(file);
  const text = parseAs(ownerKeySchema, json, failure(file));
  const seeds = { ed25519: fromB64url(text.ed25519), mldsa65: fromB64url(text.mldsa65) };
  const key = signingKeyFromSeeds(seeds);
  return matchingId(file, text.keyId, key.keyId, key);
}

/**
 * Writes both files of a new owner, `owner.key` readable by its user alone.
 * Errors: FILE_EXISTS; a key file is never overwritten, for nothing signed by it could be renewed.
 */
export async function writeOwner(keyFile: string, pubFile: string, key: SigningKey): Promise<void> {
  const { keyId } = key;
  const seeds = key.seeds();
  await writeNew(
    keyFile,
    { apiVersion: 'tidelock/v1', kind: 'OwnerKey', keyId, ...base64(seeds) },
    0o600,
  );
  await writeNew(
    pubFile,
    { apiVersion: 'tidelock/v1', kind: 'OwnerPublicKey', keyId, ...base64(key.public) },
    0o644,
  );
}

const base64 = (pair: SigningPublic) => ({
  ed25519: b64url(pair.ed25519),
  mldsa65: b64url(pair.mldsa65),
});

const failure = (file: string) =>
  ({
    code: 'OWNER_KEY_INVALID',
    op: 'owner.read',
    what: `owner key ${file}`,
    hint: 'Owner keys are made by `tidelock init`: owner.key holds the seeds, owner.pub is what configurations name.',
  }) as const;

const publicHalf = (file: string): TidelockError =>
  new TidelockError('OWNER_KEY_INVALID', {
    op: 'owner.read',
    message: `Cannot sign with ${file}: this is the public half; give owner.key`,
    hint: 'owner.key was written beside owner.pub by `tidelock init` and is kept off the cluster.',
  });

const secretHalf = (file: string): TidelockError =>
  new TidelockError('OWNER_KEY_INVALID', {
    op: 'owner.read',
    message: `Cannot verify with ${file}: this is the private key of an owner; give owner.pub`,
    hint: 'owner.pub was written beside owner.key by `tidelock init`. Whoever reads owner.key can sign as the owner: keep it off machines that only verify.',
  });

function matchingId<K>(file: string, stated: string, actual: string, key: K): K {
  if (stated === actual) return key;
  throw new TidelockError('OWNER_KEY_INVALID', {
    op: 'owner.read',
    message: `Cannot use owner key ${file}: its key id is ${actual} and not ${stated}, as it says`,
    hint: 'The file was changed or two files were mixed; take it again from where `tidelock init` wrote it.',
  });
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    // A parser's message may quote what it read, and this may be a secret.
    const why = cause instanceof SyntaxError ? 'it is not JSON' : messageOf(cause);
    throw new TidelockError('OWNER_KEY_INVALID', {
      op: 'owner.read',
      message: `Cannot read owner key ${file}: ${why}`,
      hint: failure(file).hint,
    });
  }
}
