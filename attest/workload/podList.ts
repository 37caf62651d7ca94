// The kubelet's list of pods (GET /pods, a v1.PodList): the few fields that name a workload, and the pod
// among them that a cgroup belongs to. The kubelet's word is taken for names only; which pod a process
// is in is for its cgroup to say.
import { z } from 'zod';
import type { Bytes } from '#agent/base/bytes.ts';
import { parseAs } from '#agent/base/schema.ts';
import { malformed } from '#attest/cursor.ts';
import type { Workload } from './cgroup.ts';

/** 500 pods, which is more than a node runs, of 64 KiB each. */
const MAX_LIST_BYTES = 32 << 20;
const MAX_PODS = 4096;
const MAX_CONTAINERS = 256;
const WHAT = 'kubelet pod list';

const name = z.string().max(253);
const containers = z
  .array(
    z.object({
      name,
      image: z.string().max(4096).default(''),
      imageID: z.string().max(4096).default(''),
      containerID: z.string().max(512).optional(),
    }),
  )
  .max(MAX_CONTAINERS)
  .default([]);

const podSchema = z.object({
  metadata: z.object({
    name,
    namespace: name.default('default'),
    uid: z.string().max(64),
    annotations: z.record(z.string(), z.string()).default({}),
  }),
  spec: z.object({ serviceAccountName: name.default(''), nodeName: name.default('') }),
  status: z
    .object({
      containerStatuses: containers,
      initContainerStatuses: containers,
      ephemeralContainerStatuses: containers,
    })
    .default({ containerStatuses: [], initContainerStatuses: [], ephemeralContainerStatuses: [] }),
});
const listSchema = z.object({
  kind: z.enum(['PodList', 'List']).optional(), // `List` is how kubectl puts several together
  items: z.array(podSchema).max(MAX_PODS).nullable(), // null is how Go writes an empty list
});

export interface PodContainer {
  readonly name: string;
  /** 64 hex digits, without the runtime that stands before it; absent until it has been started. */
  readonly id: string | undefined;
  /** As the specification of the pod names it, and as the runtime resolved it. */
  readonly image: string;
  readonly imageId: string;
}

export interface Pod {
  readonly uid: string;
  /** What the cgroup of a static pod is named after instead of its UID in the API. */
  readonly configHash: string | undefined;
  readonly namespace: string;
  readonly name: string;
  readonly serviceAccount: string;
  readonly node: string;
  /** Containers of every kind that have a status. */
  readonly containers: readonly PodContainer[];
}

/** Reads the kubelet's answer. Errors: EVIDENCE_MALFORMED, with every problem. */
export function parsePodList(bytes: Bytes): readonly Pod[] {
  if (bytes.length > MAX_LIST_BYTES) throw malformed(WHAT, `${bytes.length} bytes`);
  const list = parseAs(listSchema, jsonOf(bytes), {
    code: 'EVIDENCE_MALFORMED',
    op: 'evidence.parse',
    what: WHAT,
    hint: 'This is not what the kubelet answers to GET /pods. Ask it again.',
  });
  return (list.items ?? []).map(podOf);
}

function jsonOf(bytes: Bytes): unknown {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString());
  } catch (cause) {
    throw malformed(WHAT, 'no JSON', cause);
  }
}

function podOf({ metadata, spec, status }: z.infer<typeof podSchema>): Pod {
  const statuses = [
    ...status.initContainerStatuses,
    ...status.containerStatuses,
    ...status.ephemeralContainerStatuses,
  ];
  return {
    uid: metadata.uid,
    configHash: metadata.annotations['kubernetes.io/config.hash'],
    namespace: metadata.namespace,
    name: metadata.name,
    serviceAccount: spec.serviceAccountName,
    node: spec.nodeName,
    containers: statuses.map(({ name, image, imageID, containerID }) => ({
      name,
      id: containerID?.replace(/^[a-z0-9.+-]+:\/\//, '') || undefined,
      image,
      imageId: imageID,
    })),
  };
}

export interface PodOfWorkload {
  readonly pod: Pod;
  /** Absent while the kubelet does not know the container, which is younger than its last look. */
  readonly container: PodContainer | undefined;
}

/** The pod that `workload` is in; undefined outside pods and for one that the kubelet does not list. */
export function podOfWorkload(pods: readonly Pod[], workload: Workload): PodOfWorkload | undefined {
  const { podUid, containerId } = workload;
  if (podUid === undefined) return undefined;
  const pod = pods.find(({ uid, configHash }) => uid === podUid || configHash === podUid);
  if (pod === undefined) return undefined;
  const container = pod.containers.find(({ id }) => id !== undefined && id === containerId);
  return { pod, container };
}
