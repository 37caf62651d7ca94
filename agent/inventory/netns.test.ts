// Tests of finding a pod's network namespace, against a procfs and cgroups made of plain files.
import { link, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { resolveNetns } from './netns.ts';

let dir: string;
let proc: string;
let cgroup: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tidelock-netns-'));
  proc = join(dir, 'proc');
  cgroup = join(dir, 'cgroup');
  await mkdir(cgroup);
  await writeFile(join(cgroup, 'cgroup.procs'), '');
  await processIn('thread-self', 'node');
});
afterEach(() => rm(dir, { recursive: true }));

/** A process `pid` in the network namespace `name`: one file for each namespace, hard-linked. */
async function processIn(pid: string, name: string): Promise<void> {
  const netns = join(dir, `netns-${name}`);
  await writeFile(netns, '', { flag: 'a' });
  await mkdir(join(proc, pid, 'ns'), { recursive: true });
  await link(netns, join(proc, pid, 'ns', 'net'));
}

describe('resolveNetns()', () => {
  it('resolveNetns() gives one id for every path to a namespace', async () => {
    await processIn('7', 'pod');
    const direct = await resolveNetns({ kind: 'netns', path: join(dir, 'netns-pod') }, proc);
    const ofProcess = await resolveNetns(
      { kind: 'netns', path: join(proc, '7', 'ns', 'net') },
      proc,
    );
    expect(direct).toHaveProperty('id');
    expect('id' in ofProcess && ofProcess.id).toBe('id' in direct && direct.id);
  });

  it('resolveNetns() finds the namespace of a cgroup through a process in it', async () => {
    await processIn('7', 'pod');
    await writeFile(join(cgroup, 'cgroup.procs'), '6\n7\n'); // 6 has just ended
    const found = await resolveNetns({ kind: 'cgroup', path: cgroup }, proc);
    expect(found).toHaveProperty('path', join(proc, '7', 'ns', 'net'));
  });

  it('resolveNetns() looks into the containers of a pod’s cgroup', async () => {
    await processIn('7', 'pod');
    const container = join(cgroup, 'container', 'app');
    await mkdir(container, { recursive: true });
    await writeFile(join(cgroup, 'container', 'cgroup.procs'), '');
    await writeFile(join(container, 'cgroup.procs'), '7\n');
    const found = await resolveNetns({ kind: 'cgroup', path: cgroup }, proc);
    expect(found).toHaveProperty('path', join(proc, '7', 'ns', 'net'));
  });

  it('resolveNetns() never takes the node’s own namespace for a pod’s', async () => {
    await processIn('8', 'node');
    await writeFile(join(cgroup, 'cgroup.procs'), '8\n');
    for (const place of [
      { kind: 'cgroup', path: cgroup },
      { kind: 'netns', path: join(dir, 'netns-node') },
    ] as const) {
      expect(await resolveNetns(place, proc)).toEqual({
        problem: expect.stringMatching(/the node itself/),
      });
    }
  });

  it('resolveNetns() says what is missing', async () => {
    const missing = join(dir, 'none');
    expect(await resolveNetns({ kind: 'netns', path: missing }, proc)).toEqual({
      problem: expect.stringMatching(/cannot be opened: ENOENT/),
    });
    expect(await resolveNetns({ kind: 'cgroup', path: missing }, proc)).toEqual({
      problem: expect.stringMatching(/cgroup cannot be read: ENOENT/),
    });
    expect(await resolveNetns({ kind: 'cgroup', path: cgroup }, proc)).toEqual({
      problem: expect.stringMatching(/no process runs/),
    });
  });
});
