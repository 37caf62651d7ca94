// The version of this package, read from its package.json once.
import { readFileSync } from 'node:fs';
import { z } from 'zod';

const packageJson = new URL('../package.json', import.meta.url);

/** Semantic version of the running code. */
export const VERSION: string = z
  .object({ version: z.string() })
  .parse(JSON.parse(readFileSync(packageJson, 'utf8'))).version;
