// What daemonset/components promises, judged from its text: no right without a reason, none that is wide, settings that
// the agent has, and that kustomize puts it on top of the base.
import { spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { configSchema } from '#agent/configSchema.ts';
import { leavesOf } from '#agent/configSources.ts';
import { leaseNameOf } from '#agent/leaseOf.ts';
import type { Rule } from '#hwtest/apiserver/rbac.ts';

const DAEMONSET = realpathSync(join(import.meta.dirname, '..', 'daemonset'));
const COMPONENT = join(DAEMONSET, 'components', 'kubernetes-lease');
const textOf = (...path: string[]): string => readFileSync(join(DAEMONSET, ...path), 'utf8');
const component = (file: string): string => textOf('components', 'kubernetes-lease', file);

interface Patch {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly containers: readonly {
          readonly name: string;
          readonly env: readonly { readonly name: string; readonly value: string }[];
          readonly volumeMounts: readonly { readonly readOnly: boolean }[];
        }[];
        readonly volumes: readonly { readonly projected: { readonly defaultMode: number } }[];
      };
    };
  };
}

const objects = parseAllDocuments(component('rbac.yaml')).map(
  (document) =>
    document.toJS() as {
      readonly kind: string;
      readonly rules?: readonly Rule[];
      readonly roleRef?: { readonly name: string };
      readonly subjects?: readonly { readonly name: string }[];
      readonly metadata: { readonly name: string };
    },
);
const rules = objects.flatMap(({ rules: each = [] }) => each);

describe('daemonset/components/kubernetes-lease', () => {
  test('every file is good YAML and used', () => {
    const files = readdirSync(COMPONENT);
    for (const file of files) {
      const documents = parseAllDocuments(component(file));
      expect([...documents].flatMap(({ errors, warnings }) => [...errors, ...warnings])).toEqual(
        [],
      );
    }
    const { resources, patches } = parse(component('kustomization.yaml')) as {
      readonly resources: readonly string[];
      readonly patches: readonly { readonly path: string }[];
    };
    const used = ['kustomization.yaml', ...resources, ...patches.map(({ path }) => path)];
    expect(files.toSorted()).toEqual(used.toSorted());
  });

  test('gives a Role of one namespace, on leases alone, without a wildcard', () => {
    expect(objects.map(({ kind }) => kind)).toEqual(['Role', 'RoleBinding']);
    expect(objects[1]).toMatchObject({
      roleRef: { kind: 'Role', name: objects[0]?.metadata.name },
      subjects: [{ kind: 'ServiceAccount', name: 'tidelock-agent' }],
    });
    for (const { apiGroups, resources } of rules) {
      expect([apiGroups, resources]).toEqual([['coordination.k8s.io'], ['leases']]);
    }
  });

  test('names the one Lease of the base’s cluster, wherever a rule can name it', () => {
    const { cluster } = parse(textOf('base', 'config.yaml')) as { readonly cluster: string };
    const { name } = leaseNameOf({ cluster, kubernetes: {} });
    for (const { verbs, resourceNames } of rules) {
      expect(resourceNames, verbs.join()).toEqual(verbs.includes('create') ? undefined : [name]);
    }
  });

  test('has a row in docs/kubernetes.md for each verb, and no other', () => {
    const page = readFileSync(join(DAEMONSET, '..', 'docs', 'kubernetes.md'), 'utf8');
    const section = page.slice(page.indexOf('## What it may do'), page.indexOf('## When'));
    const rows = [...section.matchAll(/^\| `(\w+)` \| (.{10,}) \| (.{10,}) \| (.{10,}) \|$/gm)];
    const verbs = rules.flatMap((rule) => rule.verbs);
    expect(rows.map(([, verb = '']) => verb).toSorted()).toEqual(verbs.toSorted());
  });

  test('sets what is a setting, and mounts a token that root alone can read', () => {
    const patch = parse(component('agent.yaml'), { version: '1.1' }) as Patch; // 0400 is octal
    const { containers, volumes } = patch.spec.template.spec;
    const [agent] = containers;
    expect([patch.metadata.name, agent?.name]).toEqual(['tidelock-agent', 'agent']);
    expect(agent?.env).toEqual([{ name: 'TIDELOCK_EPOCHS_LEASE', value: 'kubernetes' }]);
    expect(leavesOf(configSchema).map(({ variable }) => variable)).toContain(agent?.env[0]?.name);
    expect(configSchema.shape.epochs.safeParse({ lease: agent?.env[0]?.value }).success).toBe(true);
    expect(agent?.volumeMounts.every(({ readOnly }) => readOnly)).toBe(true);
    expect(volumes.map(({ projected }) => projected.defaultMode)).toEqual([0o400]);
  });

  test.skipIf(spawnSync('sh', ['-c', 'command -v kubectl']).status !== 0)(
    'kubectl kustomize puts it on the base (skipped where kubectl is not installed)',
    () => {
      const dir = realpathSync(mkdtempSync(join(tmpdir(), 'tl-overlay-')));
      try {
        const overlay = join(dir, 'prod');
        mkdirSync(overlay);
        const text = {
          resources: [relative(overlay, join(DAEMONSET, 'base'))],
          components: [relative(overlay, COMPONENT)],
        };
        writeFileSync(join(overlay, 'kustomization.yaml'), JSON.stringify(text));
        const built = spawnSync('kubectl', ['kustomize', overlay], { encoding: 'utf8' });
        expect({ status: built.status, stderr: built.stderr }).toEqual({ status: 0, stderr: '' });
        const all = parseAllDocuments(built.stdout).map(
          (document) =>
            document.toJS() as {
              readonly kind: string;
              readonly metadata: { readonly namespace: string };
            },
        );
        const kinds = all.map(({ kind }) => kind);
        expect(kinds).toEqual(expect.arrayContaining(['Role', 'RoleBinding', 'DaemonSet']));
        const namespaces = all
          .filter(({ kind }) => kind.startsWith('Role'))
          .map(({ metadata }) => metadata.namespace);
        expect(namespaces).toEqual(['tidelock', 'tidelock']);
        expect(built.stdout).toContain('name: TIDELOCK_EPOCHS_LEASE\n          value: kubernetes');
        expect(built.stdout).toContain('name: TIDELOCK_NODE'); // nothing of the base is lost
        expect(built.stdout).toContain('mountPath: /var/run/secrets/kubernetes.io/serviceaccount');
      } finally {
        rmSync(dir, { recursive: true });
      }
    },
  );
});
