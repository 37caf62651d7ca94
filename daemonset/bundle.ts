// `npm run bundle`: the agent as four programs and one native addon in one folder, which starts on a
// plain Node 26 without node_modules. Owns what is in that folder and how code in it finds its
// neighbours; changes nothing about what the programs do.
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { build, type Loader, type Metafile, type OnLoadArgs, type Plugin } from 'esbuild';

const ROOT = resolve(import.meta.dirname, '..');

/** Programs of the bundle, `<name>.mjs`, by the module that each starts. */
const PROGRAMS: Readonly<Record<string, string>> = {
  tidelock: 'agent/main.ts',
  hostWorker: 'agent/hostWorker.ts',
  dataPlane: 'proxy/main.ts',
  laneWorker: 'proxy/worker.ts',
};

/** Oldest Node that the programs are written for. */
const TARGET = 'node26';

/** CommonJS dependencies ask for built-in modules by `require`, which a module does not have. */
const HEAD =
  "#!/usr/bin/env node\nimport { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);";

/** Bundles the checkout into `outDir`, whose former content is removed. Errors: those of esbuild. */
export async function bundle(outDir: string): Promise<void> {
  rmSync(outDir, { recursive: true, force: true });
  mkdirSync(outDir, { recursive: true });
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: Object.entries(PROGRAMS).map(([out, path]) => ({ out, in: path })),
    outdir: outDir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: TARGET,
    banner: { js: HEAD },
    legalComments: 'none', // they stand in the licences file
    metafile: true,
    logLevel: 'warning',
    plugins: [neighbours(outDir), nativeAddon(outDir), withoutRig],
  });
  const { name, version, license } = readJson(join(ROOT, 'package.json'));
  const manifest = { name, version, license, private: true, type: 'module' };
  writeFileSync(join(outDir, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
  writeFileSync(join(outDir, 'THIRD-PARTY-LICENSES'), licencesOf(metafile));
  chmodSync(join(outDir, 'tidelock.mjs'), 0o755);
}

/** A URL that a module makes of a path relative to itself. */
const RELATIVE_URL = /new URL\(\s*'([^']+)',\s*import\.meta\.url\s*\)/g;
/** Other ways to do so, which this bundler would not notice. */
const OTHER_RELATIVE = /import\.meta\.(?:dirname|filename|resolve)\b/;

/**
 * Folders are gone in the bundle: every file that our code names relative to itself becomes a
 * neighbour of all programs. A name that is neither a program nor a file to carry along is an error.
 */
const neighbours = (outDir: string): Plugin => ({
  name: 'neighbours',
  setup: (bundler) => {
    bundler.onLoad({ filter: /\.ts$/, namespace: 'file' }, ({ path }: OnLoadArgs) => {
      const text = readFileSync(path, 'utf8');
      const other = OTHER_RELATIVE.exec(text)?.[0];
      if (other !== undefined) return refusal(path, `uses ${other} instead of new URL()`);
      try {
        const contents = text.replaceAll(RELATIVE_URL, (_, name: string) => {
          const neighbour = neighbourOf(resolve(dirname(path), name), outDir);
          return `new URL('./${neighbour}', import.meta.url)`;
        });
        return { contents, loader: 'ts' satisfies Loader };
      } catch (cause) {
        return refusal(path, cause instanceof Error ? cause.message : String(cause));
      }
    });
  },
});

/** What `path` of the checkout is called in the bundle; the empty name is the bundle itself. */
function neighbourOf(path: string, outDir: string): string {
  if (path === ROOT) return '';
  const inRoot = relative(ROOT, path);
  if (inRoot === 'package.json') return inRoot;
  const program = Object.entries(PROGRAMS).find(([, module]) => module === inRoot)?.[0];
  if (program !== undefined) return `${program}.mjs`;
  if (/\.[jt]s$/.test(inRoot)) throw new Error(`names ${inRoot}, which is no program`);
  const name = basename(path);
  copyFileSync(path, join(outDir, name));
  return name;
}

const refusal = (path: string, state: string) => ({
  errors: [{ text: `Cannot bundle ${relative(ROOT, path)}: it ${state}` }],
});

/**
 * koffi is its addon; what its JavaScript adds is a search for the file, below node_modules and by
 * reading the Node binary, and names that are out of use. Here it lies beside the programs.
 */
const nativeAddon = (outDir: string): Plugin => ({
  name: 'native addon',
  setup: (bundler) => {
    bundler.onResolve({ filter: /^koffi$/ }, () => ({ path: 'koffi', namespace: 'addon' }));
    bundler.onLoad({ filter: /.*/, namespace: 'addon' }, () => {
      const { arch } = process;
      const built = `node_modules/@koromix/koffi-linux-${arch}/linux_${arch}/koffi.node`;
      copyFileSync(join(ROOT, built), join(outDir, 'koffi.node'));
      return { contents: "export default require('./koffi.node');" };
    });
    bundler.onResolve({ filter: /\.node$/, namespace: 'addon' }, ({ path }) => ({
      path,
      external: true,
    }));
  },
});

/** The demo builds its nodes from a checkout, so its verb says here where it can be run. */
const withoutRig: Plugin = {
  name: 'without rig',
  setup: (bundler) => {
    bundler.onResolve({ filter: /^#hwtest\// }, ({ path }) => ({ path, namespace: 'rig' }));
    bundler.onLoad({ filter: /.*/, namespace: 'rig' }, () => ({
      contents: ABSENT,
      resolveDir: ROOT,
    }));
  },
};

const ABSENT = `
  import { TidelockError } from '#agent/base/errors.ts';
  throw new TidelockError('SETUP_UNSUPPORTED', {
    op: 'bundle.rig',
    message: 'Cannot run this verb: it is not in the bundle',
    hint: 'It builds a cluster on one machine from a checkout: clone the repository, run npm start.',
  });`;

/** The licence texts of every package that is in the bundle. */
function licencesOf({ inputs }: Metafile): string {
  const folders = Object.keys(inputs).flatMap(
    (path) => /^node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? [],
  );
  const packages = [...new Set([...folders, 'node_modules/koffi'])].sort();
  return packages.map((folder) => licenceOf(folder)).join(`\n${'-'.repeat(80)}\n\n`);
}

function licenceOf(folder: string): string {
  const { name, version, license } = readJson(join(ROOT, folder, 'package.json'));
  const file = readdirSync(join(ROOT, folder)).find((entry) =>
    /^(licen[cs]e|copying)/i.test(entry),
  );
  const text = file === undefined ? '' : readFileSync(join(ROOT, folder, file), 'utf8');
  return `${name} ${version} (${license})\n\n${text.trim()}\n`;
}

interface PackageJson {
  readonly name: string;
  readonly version: string;
  readonly license: string;
}

const readJson = (path: string): PackageJson =>
  JSON.parse(readFileSync(path, 'utf8')) as PackageJson;

if (import.meta.main) {
  const { values } = parseArgs({
    options: { out: { type: 'string', default: join(ROOT, 'dist') } },
  });
  const out = resolve(values.out);
  await bundle(out);
  process.stdout.write(`${out} is whole; try: node ${join(out, 'tidelock.mjs')} version\n`);
}
