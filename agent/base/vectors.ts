// Where the published cryptographic vectors lie, for tests only. They stay outside the repository;
// tests that need them are skipped with `noVectors` as the reason when they are not there.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const DIRECTORY = '../shared/vectors/crypto';

/** Why vector tests are skipped; undefined when the vectors are there. */
export const noVectors: string | undefined = existsSync(DIRECTORY)
  ? undefined
  : `no vectors in ${DIRECTORY}`;

/** One vector file, by its path below the vectors' folder. */
export const vector = (path: string): Buffer => readFileSync(join(DIRECTORY, path));

/** A Project Wycheproof file (testvectors_v1): each test together with its group. */
export function wycheproof<Group extends object, Case extends object>(
  name: string,
): (Group & Case & WycheproofCase)[] {
  if (noVectors !== undefined) return [];
  const file = JSON.parse(vector(`wycheproof/${name}_test.json`).toString()) as {
    readonly testGroups: readonly (Group & {
      readonly tests: readonly (Case & WycheproofCase)[];
    })[];
  };
  return file.testGroups.flatMap((group) => group.tests.map((test) => ({ ...group, ...test })));
}

/** What every Wycheproof test has. */
export interface WycheproofCase {
  readonly tcId: number;
  readonly comment: string;
  readonly flags: readonly string[];
  readonly result: 'valid' | 'invalid' | 'acceptable';
}
