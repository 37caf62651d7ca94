// What a report needs of the node statement inside its evidence: which node it is and by which keys it
// signs. The statement whole is the agent's (PROTOCOL 2); a quote answers for its bytes.
import { decodeSigningPublic, type SigningPublic } from '#agent/base/asymmetric.ts';
import type { NodeName, Sid } from '#agent/base/brands.ts';
import { fromB64url, hex, sha256, truncate, type Bytes } from '#agent/base/bytes.ts';
import { b64Text, nodeName, problemsOf } from '#agent/base/schema.ts';
import { z } from 'zod';
import { MAX_STATEMENT_BYTES } from './evidence.ts';
import { shortName, unixMs } from './owned.ts';
import { isCanonical, readBounded } from './boundedJson.ts';

const SIGN_BYTES = 32 + 1952;

const schema = z.looseObject({
  v: z.literal(1),
  domain: shortName,
  cluster: shortName,
  node: nodeName,
  sign: b64Text(SIGN_BYTES),
  issuedAt: unixMs,
});

export interface Stated {
  readonly sid: Sid;
  /** SHA-256 of the statement's bytes. */
  readonly hash: Buffer;
  readonly domain: string;
  readonly cluster: string;
  readonly node: NodeName;
  readonly sign: SigningPublic;
  readonly issuedAtMs: number;
}

/** Reads the bytes of a statement, or says why they are none. Never throws. */
export function readStated(bytes: Bytes): Stated | { readonly why: string } {
  const json = readBounded(bytes, MAX_STATEMENT_BYTES);
  if ('why' in json) return { why: `The node statement is ${json.why.slice(0, 200)}` };
  const read = schema.safeParse(json.value);
  if (!read.success || !isCanonical(bytes, json.value)) {
    const [problem = 'not canonical'] = read.success ? [] : problemsOf(read.error);
    return { why: `The node statement cannot be read (${problem.slice(0, 200)})` };
  }
  const { domain, cluster, node, sign, issuedAt } = read.data;
  const hash = sha256(bytes);
  return {
    sid: hex(truncate(16, hash)) as Sid,
    hash,
    domain,
    cluster,
    node,
    sign: decodeSigningPublic(fromB64url(sign)),
    issuedAtMs: issuedAt,
  };
}
