// Samples of procfs, of the kubelet and of sysfs: what ours say of a sample beside what is true of it.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unpackTar } from '#attest/testdata/sysfsTar.ts';
import { hasVector, vector } from '#attest/testdata/vectors.ts';
import { discoverTpm } from '#attest/tpm/discover.ts';
import { workloadOf } from '#attest/workload/cgroup.ts';
import { parsePodList, podOfWorkload } from '#attest/workload/podList.ts';
import { differences, type Differences } from './differences.ts';
import type { Truth } from './truth.ts';

/** The cgroup of which process each list of pods is for, and what SPIRE's tests find (k8s_posix_test.go). */
const PODS: Readonly<Record<string, { readonly cgroup: string; readonly uid: string }>> = {
  'k8s/kubelet/pod_list.json': {
    cgroup: 'k8s/kubelet/cgroups_pid_in_pod.txt',
    uid: '2c48913c-b29f-11e7-9350-020968147796',
  },
  'k8s/kubelet/kind_pod_list.json': {
    cgroup: 'k8s/kubelet/cgroups_pid_in_kind_pod.txt',
    uid: 'a2830d0d-b0f0-4ff0-81b5-0ee4e299cf80',
  },
};

/** Pods by list, workloads by cgroup; a mountinfo alone decides nothing (trap 7). */
export function podDifferences({ path, negative, stated }: Truth): Differences {
  const list = PODS[path];
  if (list !== undefined) {
    const workload = workloadOf(textOf(list.cgroup));
    const found = workload && podOfWorkload(parsePodList(vector(path)), workload);
    const container = found?.container?.id === workload?.containerId;
    return differences({ uid: found?.pod.uid, container }, { uid: list.uid, container: true });
  }
  if (path.startsWith('k8s/kubelet/')) {
    const pair = Object.values(PODS).find(({ cgroup }) => cgroup === path);
    return differences({ pod: workloadOf(textOf(path))?.podUid }, { pod: pair?.uid });
  }
  const truth = {
    pod: stated['pod_uid'] || undefined,
    container: stated['container_id'],
    refused: negative,
  };
  const beside = path.replace(/mountinfo$/, 'cgroup'); // decides where it is there
  if (hasVector(beside)) return differences(said(textOf(beside)), truth);
  const alone = differences({ decides: !said(textOf(path)).refused }, { decides: false });
  return [...alone, ...differences(said(asCgroup(path)), truth)];
}

/** The paths of the cgroup mounts in a mountinfo (proc_pid_mountinfo(5)), as /proc/PID/cgroup would have them. */
const asCgroup = (path: string): string =>
  textOf(path)
    .split('\n')
    .filter((line) => / - cgroup2? /.test(line))
    .map((line) => `0::${line.split(' ')[3] ?? ''}`)
    .join('\n');

function said(cgroup: string): { readonly refused: boolean } & Partial<Record<string, unknown>> {
  try {
    const workload = workloadOf(cgroup);
    return { pod: workload?.podUid, container: workload?.containerId, refused: false };
  } catch {
    return { refused: true };
  }
}

const textOf = (path: string): string => vector(path).toString();

/** The device to use, or none. */
export async function sysfsDifferences({ path }: Truth): Promise<Differences> {
  const dir = await mkdtemp(join(tmpdir(), 'tl-vectors-'));
  try {
    await unpackTar(vector(path), dir);
    const tpm = await discoverTpm(dir);
    const device = tpm.found ? tpm.path : undefined;
    return differences({ device }, { device: path.includes('tpm2') ? '/dev/tpmrm0' : undefined });
  } finally {
    await rm(dir, { recursive: true });
  }
}
