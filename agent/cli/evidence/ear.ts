// `tidelock evidence ear`: judges an attestation result that some verifier signed as a JSON Web Token,
// offline. It reads files and prints; attest/ear/ judges.
import { resolve } from 'node:path';
import { readOwnerPublic } from '#agent/owner.ts';
import type { Terminal } from '#agent/cli/terminal.ts';
import { defineVerb } from '#agent/cli/verb.ts';
import { judgeEar, MAX_EAR_BYTES } from '#attest/ear/judge.ts';
import {
  keysOfSigner,
  MAX_KEY_BYTES,
  parseVerificationKeys,
  type VerificationKey,
} from '#attest/verificationKey.ts';
import { parseInput } from './input.ts';
import { printJudged } from './judged.ts';
import { readMoment } from './moment.ts';

const VERB = 'evidence ear';

/** `tidelock evidence ear`. */
export const evidenceEar = defineVerb({
  name: VERB,
  operands: { form: '<file>', min: 1, max: 1 },
  flags: {
    key: {
      type: 'string',
      value: 'FILE',
      required: true,
      help: 'public key of the verifier: PEM, JWK, JWK set, or an owner.pub',
    },
    at: {
      type: 'string',
      value: 'TIME',
      help: 'judge it as of this time, 2026-01-31T12:00:00Z or Unix seconds; now by default',
    },
  },
  about:
    'Checks an attestation result (EAR) that a verifier such as Veraison, Trustee or tidelock verify --ear signed as a JSON Web Token: the signature by an algorithm that fits the key, the dates, and for each attester its status and its trustworthiness vector. The verdict is the worst status in it. A claims set without a signature is read, but never good. A file named - is standard input.',
  example:
    'tidelock evidence ear result.jwt --key verifier.pem\ntidelock evidence ear node-a.jwt --key owner/owner.pub -o json',
  run: async (invocation) => {
    const { flags, operands, terminal } = invocation;
    const terms = { keys: await keysIn(terminal, flags.key), atMs: readMoment(flags.at, VERB) };
    const from = { ...terminal, path: operands[0] ?? '', what: 'attestation result' };
    const judged = await parseInput(from, MAX_EAR_BYTES, (bytes) => judgeEar(bytes, terms));
    return printJudged(invocation, 'Ear', judged);
  },
});

/** `owner.pub`; and `owner.key`, whose reader says that it is the wrong half. */
const OWNER_FILE = /"kind"\s*:\s*"Owner(?:Public)?Key"/;

async function keysIn(terminal: Terminal, path: string): Promise<VerificationKey[]> {
  const from = { ...terminal, path, what: 'verification key' };
  const keys = await parseInput(from, MAX_KEY_BYTES, (bytes) =>
    OWNER_FILE.test(bytes.toString('latin1')) ? undefined : parseVerificationKeys(bytes),
  );
  return keys ?? keysOfSigner(await readOwnerPublic(resolve(terminal.cwd, path)));
}
