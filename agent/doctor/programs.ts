// Which programs are on the PATH that the agent will start its own programs from.
import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';

/** Program to the Debian package that has it. */
const PACKAGES: Readonly<Record<string, string>> = {
  bpftrace: 'bpftrace',
  nft: 'nftables',
  nsenter: 'util-linux',
  unshare: 'util-linux',
};

/** Those of `programs` that cannot be run. */
export async function missingPrograms(
  programs: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<readonly string[]> {
  const dirs = (env['PATH'] ?? '').split(':').filter(Boolean);
  const found = await Promise.all(
    programs.map(async (program) => {
      const tries = dirs.map((dir) => access(join(dir, program), constants.X_OK));
      return Promise.any(tries).then(
        () => true,
        () => false,
      );
    }),
  );
  return programs.filter((_, i) => found[i] !== true);
}

/** `apt-get install nftables util-linux`. */
export function installing(programs: readonly string[]): string {
  const packages = new Set(
    programs.map((program) =>
      program.startsWith('tpm2_') ? 'tpm2-tools' : (PACKAGES[program] ?? program),
    ),
  );
  return `Install it: apt-get install ${[...packages].join(' ')}; in the container image it is part of the runtime stage.`;
}
