// What daemonset/base promises, judged from its text: nothing privileged, a reason for every privilege,
// images by digest, a configuration that the agent accepts, and no name that leads nowhere.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { nkeys } from '@nats-io/transport-node';
import { describe, expect, test } from 'vitest';
import { isMap, isScalar, parse, parseAllDocuments, visit, type Document } from 'yaml';
import { configSchema } from '#agent/configSchema.ts';
import { leavesOf } from '#agent/configSources.ts';

const BASE = join(import.meta.dirname, '..', 'daemonset', 'base');
const textOf = (file: string): string => readFileSync(join(BASE, file), 'utf8');

interface Container {
  readonly name: string;
  readonly image: string;
  readonly env: readonly { readonly name: string; readonly value?: string }[];
  readonly securityContext: {
    readonly privileged: boolean;
    readonly readOnlyRootFilesystem: boolean;
    readonly capabilities: { readonly drop: readonly string[]; readonly add?: readonly string[] };
  };
  readonly resources: { readonly requests: object; readonly limits: object };
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
  readonly readinessProbe: { readonly httpGet?: { readonly path: string; readonly port: string } };
  readonly livenessProbe: { readonly httpGet?: { readonly path: string; readonly port: string } };
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
}

interface Workload {
  readonly kind: 'DaemonSet' | 'StatefulSet';
  readonly spec: {
    readonly selector: { readonly matchLabels: object };
    readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[];
    readonly template: {
      readonly metadata: { readonly labels: object };
      readonly spec: {
        readonly containers: readonly Container[];
        readonly volumes: readonly { readonly name: string }[];
        readonly automountServiceAccountToken: boolean;
        readonly securityContext?: { readonly runAsNonRoot: boolean };
      };
    };
  };
}

const kustomization = parse(textOf('kustomization.yaml')) as {
  readonly resources: readonly string[];
  readonly images: readonly { readonly name: string; readonly digest: string }[];
  readonly configMapGenerator: readonly { readonly files: readonly string[] }[];
};
const documents: readonly Document[] = kustomization.resources.flatMap((file) => [
  ...parseAllDocuments(textOf(file)),
]);
const workloads = documents
  .map((document) => document.toJS() as Workload | { readonly kind: 'other' })
  .filter((each): each is Workload => each.kind === 'DaemonSet' || each.kind === 'StatefulSet');
const containers = workloads.flatMap(({ spec }) => spec.template.spec.containers);
const agent = containers.find(({ name }) => name === 'agent') as Container;

/** Comments before or behind every pair or item of `document` whose key or value is `word`. */
function commentsAt(word: string): (string | undefined)[] {
  const found: (string | undefined)[] = [];
  for (const document of documents) {
    visit(document, {
      Pair: (_, { key, value }) => {
        if (!isScalar(key) || key.value !== word) return;
        const inner = isMap(value) || isScalar(value) ? value.comment : undefined;
        found.push(key.commentBefore ?? inner ?? undefined);
      },
      Seq: (_, { items }) => {
        for (const item of items) {
          if (isScalar(item) && item.value === word) found.push(item.comment ?? undefined);
        }
      },
    });
  }
  return found;
}

describe('daemonset/base', () => {
  test('every file is good YAML and used', () => {
    expect(documents.flatMap(({ errors, warnings }) => [...errors, ...warnings])).toEqual([]);
    const used = [
      'kustomization.yaml',
      ...kustomization.resources,
      ...kustomization.configMapGenerator.flatMap(({ files }) => files),
    ];
    expect(readdirSync(BASE).toSorted()).toEqual(used.toSorted());
  });

  test('no container is privileged, and each says so', () => {
    expect(containers.map(({ name }) => name)).toEqual(['agent', 'nats']);
    for (const { securityContext } of containers) {
      expect(securityContext).toMatchObject({
        privileged: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
    }
    const flags = documents.flatMap((document) => privilegedIn(document));
    expect(flags).toEqual([false, false]);
  });

  test('every capability has its reason behind it', () => {
    const { add = [] } = agent.securityContext.capabilities;
    expect(add.length).toBeGreaterThan(0);
    const silent = add.filter((name) => commentsAt(name).some((comment) => !comment?.trim()));
    expect(silent).toEqual([]);
  });

  test.each([
    'hostNetwork',
    'hostPID',
    'appArmorProfile',
    'tolerations',
    'priorityClassName',
    'rollingUpdate',
    'runAsUser',
  ])('%s has its reason before it', (word) => {
    expect(commentsAt(word)[0]?.trim()).toBeTruthy();
  });

  test('only the agent is root', () => {
    const nats = workloads.find(({ kind }) => kind === 'StatefulSet');
    expect(nats?.spec.template.spec.securityContext?.runAsNonRoot).toBe(true);
  });

  test('no pod has a token of the Kubernetes API, which none of them asks', () => {
    for (const { spec } of workloads) {
      expect(spec.template.spec.automountServiceAccountToken).toBe(false);
    }
  });

  test('images are named without a tag and pinned by digest', () => {
    const pinned = new Map(kustomization.images.map(({ name, digest }) => [name, digest]));
    for (const { image } of containers) expect(pinned.get(image)).toMatch(/^sha256:[0-9a-f]{64}$/);
  });

  test('health and readiness are asked of the health port', () => {
    const port = agent.ports.find(({ name }) => name === 'health')?.containerPort;
    expect(port).toBe(8055);
    expect(agent.livenessProbe.httpGet).toMatchObject({ path: '/healthz', port: 'health' });
    expect(agent.readinessProbe.httpGet).toMatchObject({ path: '/readyz', port: 'health' });
  });

  test('every container says what it needs and what it may have', () => {
    for (const { resources } of containers) {
      expect(resources.requests).toHaveProperty('memory');
      expect(resources.limits).toHaveProperty('memory');
    }
  });

  test('selectors find their pods, and mounts their volumes', () => {
    for (const { spec } of workloads) {
      expect(spec.template.metadata.labels).toMatchObject(spec.selector.matchLabels);
      const volumes = [
        ...spec.template.spec.volumes.map(({ name }) => name),
        ...(spec.volumeClaimTemplates ?? []).map(({ metadata }) => metadata.name),
      ];
      const mounted = spec.template.spec.containers.flatMap(({ volumeMounts }) =>
        volumeMounts.map(({ name }) => name),
      );
      expect(mounted.toSorted()).toEqual(volumes.toSorted());
    }
  });
});

/** Every value of a key `privileged`. */
function privilegedIn(document: Document): unknown[] {
  const values: unknown[] = [];
  visit(document, {
    Pair: (_, { key, value }) => {
      if (isScalar(key) && key.value === 'privileged') values.push(isScalar(value) && value.value);
    },
  });
  return values;
}

describe('config.yaml', () => {
  const config = parse(textOf('config.yaml')) as Record<string, Record<string, unknown>>;

  test('is what the agent accepts, with what the pod adds', () => {
    const node = { node: 'node-1', lanes: { ...config['lanes'], address: '192.0.2.1' } };
    const parsed = configSchema.safeParse({ ...config, ...node });
    expect(parsed.error?.issues).toBeUndefined();
  });

  test('the pod adds nothing that is not a setting', () => {
    const settings = leavesOf(configSchema).map(({ variable }) => variable);
    const added = agent.env.map(({ name }) => name);
    expect(added.length).toBeGreaterThan(0);
    expect(added.filter((name) => !settings.includes(name))).toEqual([]);
  });

  test('names no file that the pod does not mount', () => {
    const document = parseAllDocuments(textOf('config.yaml'));
    const paths = document.flatMap((each) => absolutePathsIn(each));
    expect(paths.length).toBeGreaterThan(5);
    const mounts = agent.volumeMounts.map(({ mountPath }) => mountPath);
    expect(
      paths.filter((path) => !mounts.some((at) => path === at || path.startsWith(`${at}/`))),
    ).toEqual([]);
  });
});

/** Scalars of `document` that are absolute paths. */
function absolutePathsIn(document: Document): string[] {
  const paths: string[] = [];
  visit(document, {
    Scalar: (_, { value }) => {
      if (typeof value === 'string' && value.startsWith('/')) paths.push(value);
    },
  });
  return paths;
}

const present = (program: string): boolean =>
  spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;

test.skipIf(!present('kubectl'))(
  'kubectl kustomize builds it (skipped where kubectl is not installed)',
  () => {
    const { status, stdout, stderr } = spawnSync('kubectl', ['kustomize', BASE], {
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const built = parseAllDocuments(stdout).map((each) => each.toJS() as { kind: string });
    const kinds = ['ConfigMap', 'DaemonSet', 'Namespace', 'NetworkPolicy', 'PodDisruptionBudget'];
    expect(built.map(({ kind }) => kind)).toEqual(expect.arrayContaining(kinds));
    expect([...stdout.matchAll(/^\s+image: (.*)$/gm)].map(([, image]) => image)).toEqual([
      expect.stringMatching(/^nats@sha256:/),
      expect.stringMatching(/^tidelock@sha256:/),
    ]);
    expect(stdout).toMatch(/name: tidelock-config-[0-9a-z]+\n\s+- configMap:/); // by its hashed name
  },
);

test.skipIf(!present('nats-server'))(
  'nats-server takes nats.conf (skipped where it is not installed)',
  () => {
    const { status, stderr } = spawnSync('nats-server', ['-t', '-c', join(BASE, 'nats.conf')], {
      env: {
        PATH: process.env['PATH'],
        POD_NAME: 'tidelock-nats-0',
        AGENT_NKEY: nkeys.createUser().getPublicKey(),
      },
      encoding: 'utf8',
    });
    expect(stderr).toContain('is valid');
    expect(status).toBe(0);
  },
);
