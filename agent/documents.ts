// Signed documents that an owner made, read from files of this host.
import { readFile } from 'node:fs/promises';
import { messageOf, TidelockError } from '#agent/base/errors.ts';
import type { Json } from '#agent/base/jcs.ts';

const MAX_BYTES = 1 << 20;

/** The JSON in a file; whether it is what it should be is judged by its reader. Errors: DOCUMENT_MALFORMED. */
export async function readDocument(path: string): Promise<Json> {
  try {
    const bytes = await readFile(path);
    if (bytes.length > MAX_BYTES) throw new RangeError(`${bytes.length} bytes`);
    return JSON.parse(bytes.toString()) as Json;
  } catch (cause) {
    throw new TidelockError('DOCUMENT_MALFORMED', {
      op: 'document.read',
      message: `Cannot read signed document ${path}: ${messageOf(cause)}`,
      hint: 'tidelock init writes the attestation policy, tidelock enroll the enrolment of a node; check the path in the configuration.',
      cause,
    });
  }
}
