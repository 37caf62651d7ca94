// An entity attestation token that is no result (RFC 9711): what an attester says of itself. It is read,
// its dates and debug status are judged, and of the rest it is said that nobody appraised it.
import { problemsOf } from '#agent/base/schema.ts';
import { about, fail, notChecked, pass, type Check } from '#attest/check.ts';
import { printable } from '#attest/printable.ts';
import { z } from 'zod';
import { dateClaims, datesCheck } from './dates.ts';
import { isObject, type JsonObject } from './jws.ts';

/** RFC 9711 4, by their names in JSON. */
const EAT_CLAIMS: readonly string[] = [
  'eat_nonce',
  'ueid',
  'sueids',
  'oemid',
  'hwmodel',
  'hwversion',
  'swname',
  'swversion',
  'oemboot',
  'dbgstat',
  'bootcount',
  'bootseed',
  'dloas',
  'submods',
  'eat_profile',
  'intuse',
  'manifests',
  'measurements',
  'measres',
];

/** Names that only a result has, in either spelling. */
const isEarLabel = (name: string): boolean => name.startsWith('ear.') || name.startsWith('ear_');

/** Whether `payload` is an EAT in which no verifier speaks of an appraisal. */
export const isPlainEat = (payload: JsonObject): boolean =>
  EAT_CLAIMS.some((name) => payload[name] !== undefined) &&
  !Object.keys(payload).some(isEarLabel) &&
  !Object.values(isObject(payload['submods']) ? payload['submods'] : {}).some(
    (submod) => isObject(submod) && Object.keys(submod).some(isEarLabel),
  );

/** RFC 9711 4.2.9, by the integers that older tokens have. */
const DEBUG = [
  'enabled',
  'disabled',
  'disabled-since-boot',
  'disabled-permanently',
  'disabled-fully-and-permanently',
] as const;

const eat = z.looseObject({
  ...dateClaims,
  dbgstat: z
    .union([z.enum(DEBUG), z.literal([0, 1, 2, 3, 4]).transform((status) => DEBUG[status])])
    .optional(),
});

/** The checks of such a token as of `atMs` (Unix milliseconds). */
export function eatChecks(payload: JsonObject, atMs: number): Check[] {
  const name = 'EAT claims';
  const read = eat.safeParse(payload);
  if (!read.success) {
    const problems = printable(problemsOf(read.error).slice(0, 5).join('; '), 500);
    return [fail(name, `Not as RFC 9711 has them: ${problems}.`)];
  }
  const text =
    'It is an attester’s own word (EAT), in which no verifier speaks of an appraisal. Hold its claims against reference values, or ask a verifier for a result.';
  return [
    notChecked(name, text, 'none'),
    datesCheck(read.data, atMs),
    ...debugChecks(read.data.dbgstat),
  ];
}

function debugChecks(status: (typeof DEBUG)[number] | undefined): Check[] {
  const name = 'debug status';
  if (status === undefined) return [];
  const text = `Debug facilities are ${status}.`;
  return [about('hardware', status === 'enabled' ? fail(name, text) : pass(name, text))];
}
