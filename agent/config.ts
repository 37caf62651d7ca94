// The agent's configuration: file, then environment, then flags, judged by one schema, completed,
// frozen. It reports all problems at once and reads no file but its own and the owners' public keys.
import { dirname, join, resolve } from 'node:path';
import { signingKeyId, type SigningPublic } from '#agent/base/asymmetric.ts';
import { fromB64url } from '#agent/base/bytes.ts';
import { TidelockError } from '#agent/base/errors.ts';
import type { Json } from '#agent/base/jcs.ts';
import { problemsError, problemsIn } from '#agent/yaml/problems.ts';
import { readYaml, type Problem, type YamlDocument } from '#agent/yaml/source.ts';
import { configSchema, type ParsedConfig } from './configSchema.ts';
import { fromEnvironment, leavesOf, merge, type Leaf, type Override } from './configSources.ts';
import { readOwnerPublic } from './owner.ts';

/** What every part of the agent is given; all paths are absolute, nothing in it changes. */
export type Config = Frozen<
  Omit<ParsedConfig, 'owners' | 'attestation' | 'lanes' | 'api' | 'paths'> & {
    owners: SigningPublic[];
    attestation: Complete<Omit<ParsedConfig['attestation'], OptionalFile>> &
      Pick<ParsedConfig['attestation'], OptionalFile>;
    lanes: Complete<ParsedConfig['lanes']>;
    api: Complete<ParsedConfig['api']>;
    paths: Complete<ParsedConfig['paths']>;
  }
>;

/** Documents that a node may do without. */
type OptionalFile = 'referenceFile' | 'delegationFile';

type Complete<T> = { [K in keyof T]-?: Exclude<T[K], undefined> };
type Frozen<T> = T extends Uint8Array | string | number
  ? T
  : T extends object
    ? { readonly [K in keyof T]: Frozen<T[K]> }
    : T;

/** Flags that stand over file and environment. */
export interface ConfigFlags {
  readonly node?: string | undefined;
  readonly stateDir?: string | undefined;
  readonly runDir?: string | undefined;
}

export interface ConfigSources {
  readonly file: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly flags?: ConfigFlags;
  readonly cwd: string;
}

const OP = 'config.load';
const REPEAT = '`tidelock config check` repeats this check.';

/** Sections that are right by themselves, their paths absolute, whatever the others are. */
export type SoundSections = Frozen<Partial<ParsedConfig>>;

/** A configuration, or what is wrong with it and how much of it can be judged nevertheless. */
type JudgedConfig =
  | { readonly config: Config }
  | { readonly refusal: TidelockError; readonly sections: SoundSections };

/**
 * The configuration from all its sources.
 * Errors: CONFIG_INVALID with every problem, one a line: `place: path is VALUE; must be ...`.
 */
export async function loadConfig(sources: ConfigSources): Promise<Config> {
  const judged = await judgeConfig(sources);
  if ('config' in judged) return judged.config;
  const { code, op, message, hint } = judged.refusal;
  throw new TidelockError(code, { op, message, hint: `${hint} ${REPEAT}` });
}

/** The same without throwing: `refusal` is a CONFIG_INVALID with every problem. */
export async function judgeConfig(sources: ConfigSources): Promise<JudgedConfig> {
  const source = await readYaml(resolve(sources.cwd, sources.file), sources.file);
  if ('problems' in source) {
    const hint = source.isUnread ? FILE_HINT : FIELDS_HINT;
    return { refusal: refusalOf(sources, source.problems, hint), sections: {} };
  }
  if (source.documents.length > 1) {
    const problem = { at: sources.file, path: '', text: 'has several documents; must be one' };
    return { refusal: refusalOf(sources, [problem]), sections: {} };
  }
  const document = source.documents[0] ?? emptyDocument(sources.file);
  const leaves = leavesOf(configSchema);
  const environment = fromEnvironment(sources.env, leaves, sources.cwd);
  const merged = merge(document, [...environment.overrides, ...fromFlags(sources)]);
  const parsed = configSchema.safeParse(merged.value);
  const sections = parsed.success ? parsed.data : soundSections(merged.value);

  const baseDir = dirname(resolve(sources.cwd, sources.file));
  resolvePaths(sections, leaves, baseDir);
  const { owners, problems: ownerProblems } = await readOwners(
    sections.owners ?? [],
    baseDir,
    (i) => merged.at(['owners', i]),
  );
  const problems = [...environment.problems, ...ownerProblems];
  if (!parsed.success) {
    problems.push(...problemsIn(parsed.error, configSchema, merged));
    return { refusal: refusalOf(sources, problems), sections };
  }
  const config: Config = { ...completed(parsed.data), owners };
  problems.push(...socketProblems(config, merged.at(['api', 'controlSocket'])));
  return problems.length > 0
    ? { refusal: refusalOf(sources, problems), sections }
    : { config: deepFreeze(config) };
}

const FIELDS_HINT = 'Each line names the place, the setting and what it must be.';
const FILE_HINT = 'Name a configuration that is there and can be read with --config FILE.';

const refusalOf = (
  { file }: ConfigSources,
  problems: readonly Problem[],
  hint = FIELDS_HINT,
): TidelockError =>
  problemsError('CONFIG_INVALID', { op: OP, what: `configuration ${file}`, hint }, problems);

/** Of a configuration that is wrong as a whole, the sections that are not. */
function soundSections(value: unknown): Partial<ParsedConfig> {
  const given: object = typeof value === 'object' && value !== null ? value : {};
  const settings = new Map<string, unknown>(Object.entries(given));
  const sound = Object.entries(configSchema.shape).flatMap(([name, schema]) => {
    const parsed = schema.safeParse(settings.get(name));
    return parsed.success ? [[name, parsed.data] as const] : [];
  });
  return Object.fromEntries(sound);
}

/** The configuration for a log or a screen: keys by their ids. It holds no secret, only names of files. */
export function effectiveConfig(config: Config): { readonly [key: string]: Json } {
  return JSON.parse(JSON.stringify({ ...config, owners: config.owners.map(signingKeyId) })) as {
    readonly [key: string]: Json;
  };
}

const emptyDocument = (file: string): YamlDocument => ({
  value: {},
  at: () => file,
  atKey: () => file,
});

function fromFlags({ flags = {}, cwd }: ConfigSources): Override[] {
  const dir = (path: string | undefined): string | undefined =>
    path === undefined ? undefined : resolve(cwd, path);
  return [
    { path: ['node'], value: flags.node, origin: '--node' },
    { path: ['paths', 'stateDir'], value: dir(flags.stateDir), origin: '--state-dir' },
    { path: ['paths', 'runDir'], value: dir(flags.runDir), origin: '--run-dir' },
  ].filter((override) => override.value !== undefined);
}

function resolvePaths(
  config: Partial<ParsedConfig>,
  leaves: readonly Leaf[],
  baseDir: string,
): void {
  for (const leaf of leaves) {
    if (!leaf.isPath) continue;
    let section: Record<string, unknown> | undefined = config;
    for (const key of leaf.path.slice(0, -1)) {
      section = section?.[key] as Record<string, unknown> | undefined;
    }
    const key = leaf.path.at(-1) ?? '';
    const value = section?.[key];
    if (typeof value === 'string' && section) section[key] = resolve(baseDir, value);
    else if (Array.isArray(value) && section) {
      section[key] = value.map((entry) => resolve(baseDir, String(entry)));
    }
  }
}

/** Settings whose default is made of other settings. */
function completed(parsed: ParsedConfig) {
  const { attestation, lanes, paths, api, node, policy } = parsed;
  // Observing blocks nothing, so by default also nothing that comes or goes outside of lanes.
  const plaintext = policy.mode === 'observe' ? 'plain' : 'refuse';
  const runDir = paths.runDir ?? `/run/tidelock/${node}`;
  return {
    ...parsed,
    attestation: {
      ...attestation,
      enrolmentFile:
        attestation.enrolmentFile ?? join(paths.stateDir, 'enrolment', 'enrolment.json'),
    },
    lanes: { ...lanes, inbound: lanes.inbound ?? plaintext, unmeshed: lanes.unmeshed ?? plaintext },
    api: { ...api, controlSocket: api.controlSocket ?? join(runDir, 'control.sock') },
    paths: { ...paths, runDir },
  } as const;
}

async function readOwners(
  entries: ParsedConfig['owners'],
  baseDir: string,
  at: (index: number) => string,
): Promise<{ readonly owners: SigningPublic[]; readonly problems: Problem[] }> {
  const owners = new Map<string, SigningPublic>();
  const problems: Problem[] = [];
  for (const [index, entry] of entries.entries()) {
    const problem = (text: string): void => {
      problems.push({ at: at(index), path: `owners.${index}`, text });
    };
    try {
      const key =
        typeof entry === 'string'
          ? await readOwnerPublic(resolve(baseDir, entry))
          : { ed25519: fromB64url(entry.ed25519), mldsa65: fromB64url(entry.mldsa65) };
      const keyId = signingKeyId(key);
      if (owners.has(keyId)) problem(`is the same key as another owner, ${keyId}`);
      owners.set(keyId, key);
    } catch (thrown) {
      if (!(thrown instanceof TidelockError)) throw thrown;
      problem(`is not usable: ${thrown.message}`);
    }
  }
  return { owners: [...owners.values()], problems };
}

/** `sun_path` of unix(7) has 108 bytes, the last of them a zero. */
const MAX_SOCKET_PATH_BYTES = 107;

function socketProblems(config: Config, at: string): Problem[] {
  const length = Buffer.byteLength(config.api.controlSocket);
  if (length <= MAX_SOCKET_PATH_BYTES) return [];
  const text = `is ${length} bytes long; a socket's path must have at most ${MAX_SOCKET_PATH_BYTES}; shorten it or paths.runDir`;
  return [{ at, path: 'api.controlSocket', text }];
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value)) {
    Object.values(value).forEach(deepFreeze);
    Object.freeze(value);
  }
  return value;
}
