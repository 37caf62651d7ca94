// Signed documents that an owner made, read from files of this host.
import { readFile } from 'node:fs/promises';
import type { ErrorCode } from '#agent/base/codes.ts';
import { messageOf, TidelockError } from '#agent/base/errors.ts';
import type { Json } from '#agent/base/jcs.ts';
import { readBounded } from '#attest/boundedJson.ts';

const MAX_BYTES = 1 << 20;

/** What it means that a document is not there, where that is no fault of the document. */
interface Missing {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
}

/**
 * The JSON in a file; whether it is what it should be is judged by its reader.
 * Errors: `missing`, if given, when there is no such file; DOCUMENT_MALFORMED.
 */
export async function readDocument(path: string, missing?: Missing): Promise<Json> {
  try {
    const bytes = await readFile(path);
    const json = readBounded(bytes, MAX_BYTES);
    if ('value' in json) return json.value;
    throw new RangeError(`it is ${json.why}`);
  } catch (cause) {
    if (missing && cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') {
      const { code, ...said } = missing;
      throw new TidelockError(code, { op: 'document.read', ...said, cause });
    }
    throw new TidelockError('DOCUMENT_MALFORMED', {
      op: 'document.read',
      message: `Cannot read signed document ${path}: ${messageOf(cause)}`,
      hint: 'tidelock init writes the attestation policy, tidelock enroll the enrolment of a node; check the path in the configuration.',
      cause,
    });
  }
}
