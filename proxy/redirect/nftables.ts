// Loads the rules of ruleset.ts into a pod's network namespace, compares and removes them, by the program
// nft. Only that one table is touched.
import { z } from 'zod';
import { TidelockError, messageOf } from '#agent/base/errors.ts';
import type { Run, RunResult } from '#agent/base/run.ts';
import {
  HALF_CLOSED_RULES,
  REFUSED_SECONDS,
  REFUSED_SETS,
  RELEASED_RULES,
  rulesetText,
  TABLE,
  type Plaintext,
} from './ruleset.ts';

export interface Ruleset {
  /** A path by which nsenter can open the pod's namespace. */
  readonly netnsPath: string;
  readonly plaintext: Plaintext;
}

export type RulesState = 'intact' | 'changed' | 'missing';

/** Plaintext TCP that was refused lately. */
export interface RefusedSource {
  readonly address: string;
  /** Of the pod. */
  readonly port: number;
  /** Attempts within REFUSED_SECONDS. */
  readonly count: number;
  /** Since the last of them. */
  readonly agoMs: number;
}

/** Rules that are loaded; made by loadRules. */
export interface LoadedRules {
  /** Compares what is loaded now with what was. Errors: REDIRECT_FAILED. */
  state(): Promise<RulesState>;
  /** Whose plaintext was refused lately, the last one first. Errors: REDIRECT_FAILED. */
  refusedSources(): Promise<readonly RefusedSource[]>;
  /** Lets everything pass again, but for answers to deliveries that still go on. Errors: REDIRECT_FAILED. */
  release(): Promise<void>;
  /** Removes the table; one that is gone already is no error. Errors: REDIRECT_FAILED. */
  remove(): Promise<void>;
}

/** Loads the rules in one transaction, in place of any that are there. Errors: REDIRECT_FAILED. */
export async function loadRules(run: Run, { netnsPath, plaintext }: Ruleset): Promise<LoadedRules> {
  const nft = nftIn(run, netnsPath);
  await nft('load', ['-f', '-'], rulesetText(plaintext));
  // A kernel that cannot do this is none the worse for the rest.
  await nft('load', ['-f', '-'], HALF_CLOSED_RULES).catch(() => undefined);
  // nft's own listing is the reference: its wording differs between versions, a rule's place not.
  const loaded = await listing(nft);
  return {
    state: async () => {
      const now = await listing(nft);
      return now === undefined ? 'missing' : now === loaded ? 'intact' : 'changed';
    },
    refusedSources: async () =>
      refusedIn(await nft('list', ['-j', 'list', 'table', ...FAMILY_TABLE])),
    release: async () => {
      await nft('release', ['-f', '-'], RELEASED_RULES);
    },
    remove: () => removeTable(nft),
  };
}

/** The table in a namespace as nft lists it, without counts; undefined when there is none. Errors: REDIRECT_FAILED. */
export const rulesIn = (run: Run, netnsPath: string): Promise<string | undefined> =>
  listing(nftIn(run, netnsPath));

/** Removes the table from a namespace, whoever loaded it; none is no error. Errors: REDIRECT_FAILED. */
export const removeRulesIn = (run: Run, netnsPath: string): Promise<void> =>
  removeTable(nftIn(run, netnsPath));

/**
 * What `rulesIn` says of rules that stand as they were loaded: this nft's own words for them, had by
 * loading them into a namespace that nobody else sees and that ends with the call.
 * Errors: REDIRECT_FAILED.
 */
export async function rulesAsListed(run: Run, plaintext: Plaintext): Promise<string> {
  const script = `nft -f - && { nft "$1" 2>/dev/null; nft ${LISTING.join(' ')}; }`;
  const inside = ['unshare', '--net', 'sh', '-c', script, 'sh', HALF_CLOSED_RULES] as const;
  const { stdout } = await nftRun(run, 'try', inside, { input: rulesetText(plaintext) });
  return stdout.toString();
}

const FAMILY_TABLE = TABLE.split(' ');

/** Without counts, and without the elements of sets, which come and go. */
const LISTING = ['-s', '-t', 'list', 'table', ...FAMILY_TABLE] as const;

type Nft = (verb: string, args: readonly string[], input?: string) => Promise<string>;

const nftIn =
  (run: Run, netnsPath: string): Nft =>
  async (verb, args, input = '') => {
    const argv = ['nsenter', `--net=${netnsPath}`, 'nft', ...args] as const;
    return (await nftRun(run, verb, argv, { input })).stdout.toString();
  };

/** `run` with its failure told as one of the rules. */
async function nftRun(run: Run, verb: string, ...call: Parameters<Run>): Promise<RunResult> {
  try {
    return await run(...call);
  } catch (cause) {
    throw new TidelockError('REDIRECT_FAILED', {
      op: `redirect.${verb}`,
      message: `Cannot ${verb} redirect rules: ${messageOf(cause)}`,
      hint: 'nftables 1.0 or later must be installed, the kernel needs nf_tables and nft_fib, and the agent CAP_NET_ADMIN.',
      cause,
    });
  }
}

async function removeTable(nft: Nft): Promise<void> {
  await nft('remove', ['-f', '-'], `add table ${TABLE}\ndelete table ${TABLE}\n`);
}

/** Text of the table without counts; undefined when there is none. */
async function listing(nft: Nft): Promise<string | undefined> {
  const tables = await nft('list', ['list', 'tables']);
  if (!tables.split('\n').includes(`table ${TABLE}`)) return undefined;
  return nft('list', LISTING);
}

/** Of `nft -j list table` (libnftables-json(5)). */
const tableListing = z.object({
  nftables: z.array(
    z.object({
      set: z.object({ name: z.string(), elem: z.array(z.unknown()).default([]) }).optional(),
    }),
  ),
});
const refusedElement = z.object({
  elem: z.object({
    val: z.object({ concat: z.tuple([z.string(), z.number()]) }),
    /** Seconds, counted anew from each attempt. */
    expires: z.number(),
    counter: z.object({ packets: z.number() }),
  }),
});

function refusedIn(json: string): RefusedSource[] {
  const { nftables } = tableListing.parse(JSON.parse(json));
  return nftables
    .flatMap(({ set }) => (set && Object.hasOwn(REFUSED_SETS, set.name) ? set.elem : []))
    .map((element) => {
      const { val, expires, counter } = refusedElement.parse(element).elem;
      const [address, port] = val.concat;
      return { address, port, count: counter.packets, agoMs: (REFUSED_SECONDS - expires) * 1000 };
    })
    .toSorted((a, b) => a.agoMs - b.agoMs);
}
