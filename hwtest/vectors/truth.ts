// What is true of the shared attestation vectors, by the tests of their origins (`stated`) and by an
// independent computation (`computed`), as TRUTH.json beside them has it.
import { z } from 'zod';
import { vectorText } from '#attest/testdata/vectors.ts';

const entrySchema = z.object({
  /** Keys, certificates and collateral that belong to a sample. */
  aux: z.boolean().default(false),
  /** Must be refused or flagged. */
  negative: z.boolean().default(false),
  stated: z.record(z.string(), z.unknown()).nullish(),
  computed: z.record(z.string(), z.unknown()).nullish(),
});

export interface Truth {
  /** From the directory of the vectors. */
  readonly path: string;
  readonly negative: boolean;
  readonly stated: Readonly<Record<string, unknown>>;
  readonly computed: Readonly<Record<string, unknown>>;
}

/** Every sample, in the order of TRUTH.json, without what only belongs to one. */
export function readTruths(): readonly Truth[] {
  const all = z.record(z.string(), entrySchema).parse(JSON.parse(vectorText('TRUTH.json')));
  return Object.entries(all)
    .filter(([, { aux }]) => !aux)
    .map(([path, { negative, stated, computed }]) => ({
      path,
      negative,
      stated: stated ?? {},
      computed: computed ?? {},
    }));
}
