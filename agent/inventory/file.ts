// The inventory of a plain host: a YAML or JSON file that lists its pods, and services. It is read again whenever it
// changes; a broken file changes nothing and says everything that is wrong with it.
import type { Clock } from '#agent/base/clock.ts';
import type { TidelockError } from '#agent/base/errors.ts';
import { openLive } from '#agent/yaml/live.ts';
import { problemsError, problemsIn } from '#agent/yaml/problems.ts';
import { readYaml, type Problem } from '#agent/yaml/source.ts';
import type { Inventory, LocalPodSpec } from './inventory.ts';
import { resolveNetns, type PodNetns, type PodPlace } from './netns.ts';
import { inventorySchema, type InventoryEntry, type InventoryFile } from './schema.ts';
import { spiffeIdOf, type SpiffeNaming } from './spiffe.ts';

export interface FileInventoryInit {
  readonly file: string;
  readonly naming: SpiffeNaming;
  readonly clock: Clock;
  /** Told of each new problem with a changed file, and with undefined when it is over. */
  readonly report: (problem: TidelockError | undefined) => void;
  readonly resolve?: (place: PodPlace) => Promise<PodNetns>;
}

/** Reads `file` and follows its changes. Errors: INVENTORY_INVALID at the first reading. */
export async function openFileInventory(init: FileInventoryInit): Promise<Inventory> {
  const { file, naming, clock, report, resolve = resolveNetns } = init;
  const live = await openLive<Listed>({
    paths: [file],
    clock,
    report,
    read: async () => {
      const { pods: entries, services } = await readInventory(file);
      const pods = await Promise.all(entries.map((entry) => specOf(entry, naming, resolve)));
      return { pods: withoutSharedNetns(pods), services };
    },
    essence: ({ pods, services }) => [pods.map((pod) => ({ ...pod })), services],
  });
  return {
    pods: () => live.value().pods,
    services: () => live.value().services,
    problem: () => live.problem(),
    onChange: (callback) => live.onChange(callback),
    close: () => live.close(),
  };
}

interface Listed {
  readonly pods: readonly LocalPodSpec[];
  readonly services: InventoryFile['services'];
}

/** What is listed in `file`. Errors: INVENTORY_INVALID with every problem. */
export async function readInventory(file: string): Promise<InventoryFile> {
  const refuse = (problems: readonly Problem[]): TidelockError =>
    problemsError(
      'INVENTORY_INVALID',
      { op: 'inventory.read', what: `inventory ${file}`, hint: HINT },
      problems,
    );
  const source = await readYaml(file);
  if ('problems' in source) throw refuse(source.problems);
  const [document, second] = source.documents;
  if (document === undefined || second !== undefined) {
    throw refuse([{ at: file, path: '', text: 'must have one document, {pods: [...]}' }]);
  }
  const parsed = inventorySchema.safeParse(document.value);
  if (!parsed.success) throw refuse(problemsIn(parsed.error, inventorySchema, document));
  return parsed.data;
}

const HINT =
  'Correct the entries named; a running agent keeps the last good inventory until then and reads the file again by itself.';

async function specOf(
  entry: InventoryEntry,
  naming: SpiffeNaming,
  resolve: (place: PodPlace) => Promise<PodNetns>,
): Promise<LocalPodSpec> {
  const { netns: _netns, cgroup: _cgroup, imageDigest, ...pod } = entry;
  return {
    ...pod,
    ...(imageDigest === undefined ? {} : { imageDigest }),
    spiffeId: spiffeIdOf(naming, pod),
    netns: await resolve(placeOf(entry)),
  };
}

/** Where an entry says that its pod lives. */
export const placeOf = ({ netns, cgroup }: InventoryEntry): PodPlace =>
  netns === undefined ? { kind: 'cgroup', path: cgroup ?? '' } : { kind: 'netns', path: netns };

/** One namespace holds one listener, and a connection from it must have one identity. */
function withoutSharedNetns(pods: readonly LocalPodSpec[]): LocalPodSpec[] {
  const owners = new Map<string, LocalPodSpec>();
  return pods.map((pod) => {
    if (!('id' in pod.netns)) return pod;
    const owner = owners.get(pod.netns.id);
    owners.set(pod.netns.id, owner ?? pod);
    return owner === undefined
      ? pod
      : {
          ...pod,
          netns: { problem: `it shares the network namespace of ${owner.namespace}/${owner.name}` },
        };
  });
}
