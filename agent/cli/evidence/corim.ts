// `tidelock evidence corim`: shows the reference values in a CoRIM or CoMID, and whether who signed it is
// known. It reads files and prints; attest/corim/ reads and judges.
import type { Terminal } from '#agent/cli/terminal.ts';
import { defineVerb } from '#agent/cli/verb.ts';
import { judgeCorim, MAX_CORIM_BYTES } from '#attest/corim/judge.ts';
import {
  MAX_KEY_BYTES,
  parseVerificationKeys,
  type VerificationKey,
} from '#attest/verificationKey.ts';
import { parseInput } from './input.ts';
import { printJudged } from './judged.ts';

/** `tidelock evidence corim`. */
export const evidenceCorim = defineVerb({
  name: 'evidence corim',
  operands: { form: '<file>', min: 1, max: 1 },
  flags: {
    key: { type: 'string', value: 'FILE', help: 'public key of its author: PEM, JWK or JWK set' },
  },
  about:
    'Shows a manifest of reference values, CoRIM or CoMID, signed or not: with -o json every value under the name that the specification gives it. The verdict is none unless the signature verifies under the key that is given. A file named - is standard input.',
  example: 'tidelock evidence corim vendor.corim --key vendor.pem -o json',
  run: async (invocation) => {
    const { flags, operands, terminal } = invocation;
    const keys = await keysIn(terminal, flags.key);
    const file = { ...terminal, path: operands[0] ?? '', what: 'manifest' };
    const { manifest, ...judged } = await parseInput(file, MAX_CORIM_BYTES, (bytes) =>
      judgeCorim(bytes, keys),
    );
    return printJudged(invocation, 'Corim', judged, { manifest });
  },
});

const keysIn = async (terminal: Terminal, path: string | undefined): Promise<VerificationKey[]> =>
  path === undefined
    ? []
    : parseInput(
        { ...terminal, path, what: 'verification key' },
        MAX_KEY_BYTES,
        parseVerificationKeys,
      );
