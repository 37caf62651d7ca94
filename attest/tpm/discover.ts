// Which TPM of a machine to use, read from sysfs. It opens no device, and never offers one without the
// kernel's resource manager: two users of that would see each other's keys (ATTESTATION trap 8).
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '#agent/base/errors.ts';

export type TpmDevice =
  | { readonly found: true; readonly path: string }
  /** `why` says what there is instead, and the remedy. */
  | { readonly found: false; readonly why: string };

/**
 * The first TPM 2.0 under `sysfs` (`/sys`), by the number the kernel gave it, as the path of its device
 * under a resource manager. Errors: those of the file system, but for what is not there.
 */
export async function discoverTpm(sysfs: string): Promise<TpmDevice> {
  const chips = (await namesIn(join(sysfs, 'class/tpm'))).filter((name) =>
    /^tpm\d{1,3}$/.test(name),
  );
  const reasons: string[] = [];
  for (const chip of chips.sort((a, b) => numberOf(a) - numberOf(b))) {
    const directory = join(sysfs, 'class/tpm', chip);
    const manager = `tpmrm${numberOf(chip)}`;
    const managed = (await namesIn(join(directory, 'device/tpmrm'))).includes(manager);
    // before Linux 5.6 nothing states the version; only a TPM 2.0 ever has a resource manager
    const version = (await textOf(join(directory, 'tpm_version_major'))) ?? (managed ? '2' : '1');
    if (version !== '2') {
      reasons.push(`${chip} is a TPM of version ${version}, which cannot attest here`);
    } else if (!managed) {
      reasons.push(`${chip} has no resource manager: Linux 4.12 or later brings /dev/${manager}`);
    } else return { found: true, path: `/dev/${manager}` };
  }
  const none = 'The kernel shows no TPM. Enable it in the firmware setup, or add one to the VM';
  return { found: false, why: `${reasons.length > 0 ? reasons.join('; ') : none}.` };
}

const numberOf = (chip: string): number => Number(chip.slice('tpm'.length));

const namesIn = (directory: string): Promise<string[]> =>
  readdir(directory).catch((error: unknown) => absentAs([], error));

const textOf = (path: string): Promise<string | undefined> =>
  readFile(path, 'utf8').then(
    (text) => text.trim(),
    (error: unknown) => absentAs(undefined, error),
  );

function absentAs<T>(value: T, error: unknown): T {
  if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return value;
  throw error;
}
