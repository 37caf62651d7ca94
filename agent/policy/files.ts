// Policies from files and directories, compiled, and compiled again whenever one changes. A broken
// file changes nothing and says everything that is wrong with it.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '#agent/base/clock.ts';
import { messageOf, type TidelockError } from '#agent/base/errors.ts';
import type { Json } from '#agent/base/jcs.ts';
import { openLive, type Live } from '#agent/yaml/live.ts';
import { problemsError, problemsIn } from '#agent/yaml/problems.ts';
import { readYaml, type Problem } from '#agent/yaml/source.ts';
import type { CompiledPolicy } from '#proxy/policy.ts';
import { compilePolicies, type PolicyMode } from './compile.ts';
import { policySchema, type ServiceAccessPolicy } from './schema.ts';

export interface PolicyFilesInit {
  readonly files: readonly string[];
  readonly mode: PolicyMode;
  readonly clock: Clock;
  /** Told of each new problem with a changed file, and with undefined when it is over. */
  readonly report: (problem: TidelockError | undefined) => void;
}

/** The compiled policy, its version rising with each change. Errors: POLICY_INVALID at the first reading. */
export async function openPolicyFiles(init: PolicyFilesInit): Promise<Live<CompiledPolicy>> {
  const { files, mode, clock, report } = init;
  let version = 0;
  return openLive<CompiledPolicy>({
    paths: files,
    clock,
    report,
    read: async () => compilePolicies(await readPolicies(files), mode, (version += 1)),
    essence: meaningOf,
  });
}

const meaningOf = ({ defaultAction, rules }: CompiledPolicy): Json => ({
  defaultAction,
  rules: rules.map((rule) => ({ ...rule })),
});

/** Every policy in `files`, directories included. Errors: POLICY_INVALID with every problem of all of them. */
export async function readPolicies(
  files: readonly string[],
): Promise<readonly ServiceAccessPolicy[]> {
  const problems: Problem[] = [];
  const policies: ServiceAccessPolicy[] = [];
  const places = new Map<string, string>();
  for (const file of await expanded(files, problems)) {
    const source = await readYaml(file);
    if ('problems' in source) {
      problems.push(...source.problems);
      continue;
    }
    for (const document of source.documents) {
      if (document.value === null) continue; // nothing between two separators
      const parsed = policySchema.safeParse(document.value);
      if (!parsed.success) {
        problems.push(...problemsIn(parsed.error, policySchema, document));
        continue;
      }
      const { name } = parsed.data.metadata;
      const at = document.at(['metadata', 'name']);
      const other = places.get(name);
      if (other === undefined) places.set(name, at);
      else problems.push({ at, path: 'metadata.name', text: `is ${name}, as at ${other} already` });
      policies.push(parsed.data);
    }
  }
  if (problems.length === 0) return policies;
  throw problemsError(
    'POLICY_INVALID',
    {
      op: 'policy.read',
      what: 'policies',
      hint: 'Correct the entries named; a running agent keeps the last good policies until then and reads the files again by itself.',
    },
    problems,
  );
}

const MANIFEST = /^[^.].*\.(ya?ml|json)$/;
const MAX_FILES = 1_024;

async function expanded(paths: readonly string[], problems: Problem[]): Promise<string[]> {
  const files: string[] = [];
  for (const path of paths) {
    try {
      if (!(await stat(path)).isDirectory()) files.push(path);
      else {
        const names = (await readdir(path)).filter((name) => MANIFEST.test(name)).sort();
        files.push(...names.map((name) => join(path, name)));
      }
    } catch (cause) {
      problems.push({ at: path, path: '', text: `cannot be read: ${messageOf(cause)}` });
    }
  }
  if (files.length > MAX_FILES) {
    problems.push({ at: paths.join(', '), path: '', text: `more than ${MAX_FILES} policy files` });
  }
  return files.slice(0, MAX_FILES);
}
