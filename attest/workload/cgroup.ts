// Which pod and container a process belongs to, from the text of its /proc/PID/cgroup. The kernel keeps
// that file; mountinfo is the container's own to arrange and is never asked (ATTESTATION trap 7). Where
// the lines do not agree nothing is guessed.
import { malformed } from '#attest/cursor.ts';

/** Thirteen controllers of cgroup v1, with paths of at most PATH_MAX each, are below this. */
const MAX_TEXT_CHARS = 64 << 10;
const WHAT = '/proc/PID/cgroup';

export interface Workload {
  /** With dashes as the API server writes it, or 32 hex digits of a static pod; absent outside pods. */
  readonly podUid: string | undefined;
  /** As the container runtime names it, 64 hex digits; absent for a process of a pod's own cgroup. */
  readonly containerId: string | undefined;
}

/** What one line says; `around` are the containers that the pod itself runs in (kind). */
interface Place extends Workload {
  readonly around: readonly string[];
}

/**
 * The workload that every line agrees on; undefined for a process that is in no container. Reads v1,
 * v2 and hybrid hierarchies, the systemd and the cgroupfs driver, of containerd, CRI-O and Docker.
 * Errors: EVIDENCE_MALFORMED: not the text of such a file, or it names several pods or containers.
 */
export function workloadOf(text: string): Workload | undefined {
  if (text.length > MAX_TEXT_CHARS) throw malformed(WHAT, `${text.length} characters`);
  const places = text
    .split('\n')
    .filter((line) => line !== '')
    .flatMap((line) => placeOf(pathOf(line)) ?? []);
  const inPods = places.filter(({ podUid }) => podUid !== undefined);
  const deciding = inPods.length > 0 ? inPods : places;
  const podUid = only('pods', deciding, (place) => place.podUid);
  const containerId = only('containers', deciding, (place) => place.containerId);
  const around = new Set(deciding.flatMap((place) => place.around));
  const beside = places.find(
    (place) => !deciding.includes(place) && !around.has(place.containerId ?? ''),
  );
  if (beside !== undefined) {
    throw malformed(WHAT, `container ${beside.containerId} is not around pod ${podUid}`);
  }
  return places.length === 0 ? undefined : { podUid, containerId };
}

/** `hierarchy:controllers:path` (cgroups(7)); the path may hold colons. */
const LINE = /^\d{1,10}:[^:]{0,256}:(\/.{0,4096})$/s;

const pathOf = (line: string): string => {
  const path = LINE.exec(line)?.[1];
  if (path === undefined) throw malformed(WHAT, `the line ${JSON.stringify(line.slice(0, 80))}`);
  return path.replace(/ \(deleted\)$/, '');
};

const UID = '([0-9a-f]{8}([-_]?)[0-9a-f]{4}\\2[0-9a-f]{4}\\2[0-9a-f]{4}\\2[0-9a-f]{12})';
/** `kubepods-burstable-podUID.slice` of the systemd driver, `podUID` of cgroupfs. */
const POD = new RegExp(`^(?:(?:[a-z0-9]+-)*kubepods(?:-[a-z]+)?-)?pod${UID}(?:\\.slice)?$`);
/** `cri-containerd-ID.scope`, `crio-ID.scope`, `docker-ID.scope`, or the ID alone. */
const CONTAINER = /^(?:(?:cri-containerd|crio|docker|libpod|nerdctl)-)?([0-9a-f]{64})(?:\.scope)?$/;

/** Undefined when the path leads into no container. Errors: EVIDENCE_MALFORMED for one of several. */
function placeOf(path: string): Place | undefined {
  // containerd under another driver than the kubelet's writes slice:cri-containerd:ID as one name
  const names = path.split(/[/:]/);
  const pods = names.flatMap((name, at) => {
    const uid = POD.exec(name)?.[1]?.replaceAll('_', '-');
    return uid === undefined ? [] : [{ uid, at }];
  });
  const podUid = only('pods', pods, ({ uid }) => uid);
  const podAt = pods[0]?.at ?? 0;
  const containers = names.flatMap((name, at) => {
    const id = CONTAINER.exec(name)?.[1];
    return id === undefined ? [] : [{ id, at }];
  });
  const inside = podUid === undefined ? containers : containers.filter(({ at }) => at > podAt);
  const containerId = only('containers', inside, ({ id }) => id);
  if (podUid === undefined && containerId === undefined) return undefined;
  const around = containers.filter((each) => !inside.includes(each)).map(({ id }) => id);
  return { podUid, containerId, around };
}

/** The one value that those who name any name. Errors: EVIDENCE_MALFORMED when there are several. */
function only<T>(
  what: string,
  from: readonly T[],
  named: (each: T) => string | undefined,
): string | undefined {
  const values = [...new Set(from.flatMap((each) => named(each) ?? []))];
  if (values.length > 1) throw malformed(WHAT, `it names several ${what}: ${values.join(', ')}`);
  return values[0];
}
