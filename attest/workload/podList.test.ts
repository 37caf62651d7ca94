import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '#agent/base/bytes.ts';
import { hostile, outcome } from '#attest/testdata/hostile.ts';
import { noVectors, vector } from '#attest/testdata/vectors.ts';
import { workloadOf } from './cgroup.ts';
import { parsePodList, podOfWorkload } from './podList.ts';

const LIST = {
  kind: 'PodList',
  items: [
    {
      metadata: {
        name: 'etcd-a',
        namespace: 'kube-system',
        uid: 'u-1',
        annotations: { 'kubernetes.io/config.hash': 'h-1' },
      },
      spec: { nodeName: 'a' },
      status: {
        containerStatuses: [
          { name: 'etcd', image: 'etcd:3', imageID: 'etcd@sha256:1', containerID: 'cri-o://c-1' },
          { name: 'waiting', image: 'x', imageID: '' },
        ],
      },
    },
    {
      metadata: { name: 'web', namespace: 'shop', uid: 'u-2' },
      spec: { serviceAccountName: 'web' },
    },
  ],
};
const bytesOf = (value: unknown): Uint8Array => utf8(JSON.stringify(value));
const pods = parsePodList(bytesOf(LIST));

describe('parsePodList()', () => {
  it('keeps the names, and container IDs without their runtime', () => {
    expect(pods[0]).toEqual({
      uid: 'u-1',
      configHash: 'h-1',
      namespace: 'kube-system',
      name: 'etcd-a',
      serviceAccount: '',
      node: 'a',
      containers: [
        { name: 'etcd', id: 'c-1', image: 'etcd:3', imageId: 'etcd@sha256:1' },
        { name: 'waiting', id: undefined, image: 'x', imageId: '' },
      ],
    });
    expect(pods[1]?.containers).toEqual([]);
  });

  it('reads the list of a node without pods, which Go writes as null', () => {
    expect(parsePodList(bytesOf({ kind: 'PodList', items: null }))).toEqual([]);
  });

  it('parses or ends in EVIDENCE_MALFORMED whatever the bytes', () => {
    fc.assert(
      fc.property(hostile(bytesOf(LIST)), (bytes) => {
        outcome(parsePodList, bytes);
      }),
    );
    expect(outcome(parsePodList, bytesOf({ ...LIST, kind: 'Pod' }))).toBe('malformed');
  });
});

describe('podOfWorkload()', () => {
  it('finds a pod by its UID, a static pod by its hash, and the container in it', () => {
    const found = podOfWorkload(pods, { podUid: 'h-1', containerId: 'c-1' });
    expect([found?.pod.name, found?.container?.name]).toEqual(['etcd-a', 'etcd']);
    expect(podOfWorkload(pods, { podUid: 'u-2', containerId: 'c-9' })).toEqual({
      pod: pods[1],
      container: undefined,
    });
  });

  it('finds none for what the kubelet does not list, and for what is in no pod', () => {
    expect(podOfWorkload(pods, { podUid: 'u-3', containerId: 'c-1' })).toBeUndefined();
    expect(podOfWorkload(pods, { podUid: undefined, containerId: 'c-1' })).toBeUndefined();
  });
});

describe.skipIf(noVectors !== undefined)(`samples ${noVectors ?? ''}`, () => {
  const sample = (name: string): Buffer => vector(`k8s/kubelet/${name}`);

  it('podOfWorkload() names the pods of the samples', () => {
    const inPod = workloadOf(sample('cgroups_pid_in_pod.txt').toString());
    const found = podOfWorkload(parsePodList(sample('pod_list.json')), inPod ?? none);
    expect(found?.pod).toMatchObject({ uid: inPod?.podUid, namespace: 'default' });
    expect(found?.container?.id).toBe(inPod?.containerId);
    const inKind = workloadOf(sample('cgroups_pid_in_kind_pod.txt').toString());
    const kind = podOfWorkload(parsePodList(sample('kind_pod_list.json')), inKind ?? none);
    expect(kind?.container?.imageId).toContain(
      'sha256:1e4c481d76e9ecbd3d8684891e0e46aa021a30920ca04936e1fdcc552747d941',
    );
  });
});

const none = { podUid: undefined, containerId: undefined };
