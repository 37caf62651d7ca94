// The nftables rules inside a pod's network namespace: outgoing TCP goes to the in-pod listener and
// nowhere else, plaintext TCP from outside is refused. UDP is left alone. Only the table below is
// touched.
import { z } from 'zod';
import { TidelockError, messageOf } from '#agent/base/errors.ts';
import type { Run, RunResult } from '#agent/base/run.ts';

/** Where redirected connections arrive, on the pod's loopback. */
export const OUTBOUND_PORT = 15001;

/** What happens to TCP that reaches the pod from outside without passing an agent. */
export type Inbound = 'refuse' | 'plain';

export interface Ruleset {
  /** A path by which nsenter can open the pod's namespace. */
  readonly netnsPath: string;
  readonly inbound: Inbound;
}

export type RulesState = 'intact' | 'changed' | 'missing';

/** Packets since the rules were loaded. */
export interface RuleCounters {
  /** Plaintext TCP from outside that was answered by a reset. */
  readonly refusedIn: number;
  /** TCP that would have left the pod past the redirect, dropped (raw sockets, notrack). */
  readonly droppedOut: number;
}

const TABLE = 'inet tidelock';

/**
 * No exemption by mark: a pod with CAP_NET_RAW can set one. Delivery into the pod and local traffic
 * go to the pod's own addresses, which the fib rule lets pass. The egress chain closes what NAT does
 * not see: packets of raw sockets or untracked ones; replies are resets of refused connections, or of
 * connections that `plain` lets in.
 */
export const rulesetText = (inbound: Inbound): string => `add table ${TABLE}
delete table ${TABLE}
table ${TABLE} {
  counter refused_in { }
  counter dropped_out { }
  chain output {
    type nat hook output priority -100; policy accept;
    fib daddr type local return
    meta l4proto tcp redirect to :${OUTBOUND_PORT}
  }
  chain egress {
    type filter hook postrouting priority 0; policy accept;
    oifname "lo" accept
    ct direction reply accept
    meta l4proto tcp counter name dropped_out drop
  }
  chain input {
    type filter hook input priority 0; policy accept;
    iifname "lo" accept
    ${inbound === 'refuse' ? 'meta l4proto tcp counter name refused_in reject with tcp reset' : 'meta l4proto tcp accept'}
  }
}
`;

/** Rules that are loaded; made by loadRules. */
export interface LoadedRules {
  /** Compares what is loaded now with what was. Errors: REDIRECT_FAILED. */
  state(): Promise<RulesState>;
  /** Errors: REDIRECT_FAILED. */
  counters(): Promise<RuleCounters>;
  /** Removes the table; one that is gone already is no error. Errors: REDIRECT_FAILED. */
  remove(): Promise<void>;
}

/** Loads the rules in one transaction, in place of any that are there. Errors: REDIRECT_FAILED. */
export async function loadRules(run: Run, { netnsPath, inbound }: Ruleset): Promise<LoadedRules> {
  const nft = nftIn(run, netnsPath);
  await nft('load', ['-f', '-'], rulesetText(inbound));
  // nft's own listing is the reference: its wording differs between versions, a rule's place not.
  const loaded = await listing(nft);
  return {
    state: async () => {
      const now = await listing(nft);
      return now === undefined ? 'missing' : now === loaded ? 'intact' : 'changed';
    },
    counters: async () =>
      countersIn(await nft('count', ['-j', 'list', 'counters', 'table', ...FAMILY_TABLE])),
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
export async function rulesAsListed(run: Run, inbound: Inbound): Promise<string> {
  const script = `nft -f - && nft -s list table ${TABLE}`;
  const { stdout } = await nftRun(run, 'try', ['unshare', '--net', 'sh', '-c', script], {
    input: rulesetText(inbound),
  });
  return stdout.toString();
}

const FAMILY_TABLE = ['inet', 'tidelock'] as const;

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
  return nft('list', ['-s', 'list', 'table', ...FAMILY_TABLE]);
}

/** `nft -j list counters` (libnftables-json(5)). */
const counterListing = z.object({
  nftables: z.array(
    z.object({ counter: z.object({ name: z.string(), packets: z.number() }).optional() }),
  ),
});

function countersIn(json: string): RuleCounters {
  const { nftables } = counterListing.parse(JSON.parse(json));
  const packets = (name: string): number =>
    nftables.find((item) => item.counter?.name === name)?.counter?.packets ?? 0;
  return { refusedIn: packets('refused_in'), droppedOut: packets('dropped_out') };
}
