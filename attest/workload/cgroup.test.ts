import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { outcome } from '#attest/testdata/hostile.ts';
import { noVectors, vector } from '#attest/testdata/vectors.ts';
import { workloadOf } from './cgroup.ts';

const UID = '2c48913c-b29f-11e7-9350-020968147796';
const ESCAPED = UID.replaceAll('-', '_');
const ID = '9bca8d63'.repeat(8);
const OTHER_ID = '0f1e2d3c'.repeat(8);
const inPod = { podUid: UID, containerId: ID };

describe('workloadOf()', () => {
  it.each([
    ['cgroupfs', `0::/kubepods/burstable/pod${UID}/${ID}`],
    ['cgroupfs, guaranteed', `0::/kubepods/pod${UID}/${ID}`],
    [
      'systemd with containerd',
      `0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${ESCAPED}.slice/cri-containerd-${ID}.scope`,
    ],
    [
      'systemd with CRI-O, and what a container put below itself',
      `0::/kubepods.slice/kubepods-pod${ESCAPED}.slice/crio-${ID}.scope/container/init.scope`,
    ],
    [
      'systemd with Docker',
      `4:memory:/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${ESCAPED}.slice/docker-${ID}.scope`,
    ],
    [
      'containerd under another driver than the kubelet’s',
      `0::/../../kubepods-besteffort-pod${ESCAPED}.slice:cri-containerd:${ID}`,
    ],
    [
      'kind under systemd',
      `0::/system.slice/docker-${OTHER_ID}.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod${ESCAPED}.slice/cri-containerd-${ID}.scope`,
    ],
    ['a cgroup that is gone', `0::/kubepods/pod${UID}/${ID} (deleted)`],
  ])('reads %s', (_, line) => {
    expect(workloadOf(`${line}\n`)).toEqual(inPod);
  });

  it('reads a static pod, whose UID is a hash', () => {
    const uid = '9a5ab0e2'.repeat(4);
    expect(workloadOf(`0::/kubepods/burstable/pod${uid}/${ID}`)).toEqual({
      podUid: uid,
      containerId: ID,
    });
  });

  it('gives no pod for a container of Docker, and no container for the monitor of CRI-O', () => {
    expect(workloadOf(`0::/docker/${ID}`)).toEqual({ podUid: undefined, containerId: ID });
    const monitor = `0::/kubepods.slice/kubepods-pod${ESCAPED}.slice/crio-conmon-${ID}.scope`;
    expect(workloadOf(monitor)).toEqual({ podUid: UID, containerId: undefined });
  });

  it('gives nothing for a process of the host', () => {
    expect(workloadOf('1:name=systemd:/user.slice\n0::/init.scope\n')).toBeUndefined();
    expect(workloadOf('')).toBeUndefined();
  });

  const another = UID.replace('2', '3');
  it.each([
    ['two pods on two lines', `2:cpu:/kubepods/pod${UID}/${ID}\n0::/kubepods/pod${another}/${ID}`],
    ['a pod inside a pod', `0::/kubepods/pod${UID}/${ID}/kubepods/pod${another}/${OTHER_ID}`],
    [
      'two containers of a pod',
      `0::/kubepods/pod${UID}/${ID}\n1:a:/kubepods/pod${UID}/${OTHER_ID}`,
    ],
    ['a container inside a container', `0::/docker/${ID}/docker/${OTHER_ID}`],
    [
      'a pod, and a container that is not around it',
      `0::/kubepods/pod${UID}/${ID}\n1:a:/docker/${OTHER_ID}`,
    ],
  ])('refuses to guess between %s', (_, text) => {
    expect(() => workloadOf(text)).toThrow(/several|not around/);
  });

  it('is not led by names that only look like a pod or a container', () => {
    expect(workloadOf(`0::/xpod${UID}/${ID}x`)).toBeUndefined();
    expect(workloadOf(`0::/user.slice/pod${UID.slice(1)}`)).toBeUndefined();
  });

  it('answers or ends in EVIDENCE_MALFORMED whatever the text', () => {
    const word = fc.constantFrom(
      `pod${UID}`,
      `kubepods-pod${ESCAPED}.slice`,
      ID,
      OTHER_ID,
      'a'.repeat(64),
      '/',
      ':',
      '\n',
      '0::',
      '..',
      ' (deleted)',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(word).map((all) => all.join('')),
        ),
        (text) => {
          outcome(() => workloadOf(text), Buffer.alloc(0));
        },
      ),
    );
  });
});

describe.skipIf(noVectors !== undefined)(`samples ${noVectors ?? ''}`, () => {
  const sample = (path: string): string => vector(`k8s/${path}`).toString();

  it('workloadOf() finds the pod of cgroup v1, and none for a process of the host', () => {
    expect(workloadOf(sample('kubelet/cgroups_pid_in_pod.txt'))?.podUid).toBe(UID);
    expect(workloadOf(sample('kubelet/cgroups_pid_not_in_pod.txt'))).toBeUndefined();
  });

  it('workloadOf() finds the pod inside a kind node, whose own line names only the node', () => {
    expect(workloadOf(sample('kubelet/cgroups_pid_in_kind_pod.txt'))).toEqual({
      podUid: 'a2830d0d-b0f0-4ff0-81b5-0ee4e299cf80',
      containerId: '09bc3d7ade839efec32b6bec4ec79d099027a668ddba043083ec21d3c3b8f1e6',
    });
  });

  it('workloadOf() refuses mountinfo, which never decides (trap 7)', () => {
    const mountinfo = sample('procfs/k8s/v2/proc/123/mountinfo');
    expect(outcome(() => workloadOf(mountinfo), Buffer.alloc(0))).toBe('malformed');
  });
});
