// The two key derivations of TPM 2.0 Part 1 11.4.10. Byte in, bytes out; the caller wipes them.
import { createHmac, hash } from 'node:crypto';
import { concat, u32, utf8, type Bytes } from '#agent/base/bytes.ts';
import type { HashAlgorithm } from '#attest/tpm/algorithms.ts';

/**
 * KDFa (Part 1 11.4.10.2): SP 800-108 counter mode with HMAC; `label` without its terminating zero.
 * `lenBytes` is at most 255 digests.
 */
export function kdfa(
  alg: HashAlgorithm,
  key: Bytes,
  label: string,
  contextU: Bytes,
  contextV: Bytes,
  lenBytes: number,
): Buffer {
  const fixed = concat(utf8(label), Uint8Array.of(0), contextU, contextV, u32(lenBytes * 8));
  return counted(alg, lenBytes, (counter) =>
    createHmac(alg.name, key).update(counter).update(fixed).digest(),
  );
}

/** KDFe (Part 1 11.4.10.3): SP 800-56A over the x coordinate `z`, both points given by theirs. */
export function kdfe(
  alg: HashAlgorithm,
  z: Bytes,
  label: string,
  partyU: Bytes,
  partyV: Bytes,
  lenBytes: number,
): Buffer {
  const fixed = concat(z, utf8(label), Uint8Array.of(0), partyU, partyV);
  return counted(alg, lenBytes, (counter) => hash(alg.name, concat(counter, fixed), 'buffer'));
}

function counted(alg: HashAlgorithm, lenBytes: number, block: (counter: Buffer) => Buffer): Buffer {
  const blocks = Math.ceil(lenBytes / alg.sizeBytes);
  return concat(...Array.from({ length: blocks }, (_, i) => block(u32(i + 1)))).subarray(
    0,
    lenBytes,
  );
}
