import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { unpackTar } from '#attest/testdata/sysfsTar.ts';
import { noVectors, vector } from '#attest/testdata/vectors.ts';
import { discoverTpm } from './discover.ts';

let sysfs: string;
beforeEach(async () => {
  sysfs = await mkdtemp(join(tmpdir(), 'tl-sysfs-'));
});
afterEach(() => rm(sysfs, { recursive: true }));

async function chip(number: number, version: string | undefined, managed: boolean): Promise<void> {
  const directory = join(sysfs, `class/tpm/tpm${number}`);
  await mkdir(join(directory, 'device'), { recursive: true });
  if (version) await writeFile(join(directory, 'tpm_version_major'), `${version}\n`);
  if (managed) await mkdir(join(directory, `device/tpmrm/tpmrm${number}`), { recursive: true });
}

describe('discoverTpm()', () => {
  it('takes the first TPM 2.0 under a resource manager', async () => {
    await chip(0, '1', false);
    await chip(10, '2', true);
    await chip(2, '2', true);
    expect(await discoverTpm(sysfs)).toEqual({ found: true, path: '/dev/tpmrm2' });
  });

  it('knows a TPM 2.0 by its resource manager where the kernel states no version', async () => {
    await chip(0, undefined, true);
    expect(await discoverTpm(sysfs)).toEqual({ found: true, path: '/dev/tpmrm0' });
  });

  it.each([
    ['1', false, /version 1, which cannot attest/],
    [undefined, false, /version 1/],
    ['2', false, /no resource manager: Linux 4\.12/],
  ])('refuses a chip of version %s with a resource manager: %s', async (version, managed, why) => {
    await chip(0, version, managed);
    expect(await discoverTpm(sysfs)).toEqual({ found: false, why: expect.stringMatching(why) });
  });

  it('says where to enable a TPM when there is none', async () => {
    expect(await discoverTpm(sysfs)).toEqual({
      found: false,
      why: expect.stringContaining('firmware setup'),
    });
  });
});

describe.skipIf(noVectors !== undefined)(`samples ${noVectors ?? ''}`, () => {
  it('discoverTpm() finds the TPM of the one sample and none in the other', async () => {
    await unpackTar(vector('sysfs/no-devices-sysfs.tar'), sysfs);
    expect(await discoverTpm(sysfs)).toMatchObject({ found: false });
    await unpackTar(vector('sysfs/tpm2-device-sysfs.tar'), sysfs);
    expect(await discoverTpm(sysfs)).toEqual({ found: true, path: '/dev/tpmrm0' });
  });
});
