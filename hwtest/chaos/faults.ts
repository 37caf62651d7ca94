// What is done to a bus and to the way there. A fault begins, is held while applications go on, and ends; all of it is
// real: signals, nftables, files.
import { readFileSync } from 'node:fs';
import { cp, rm, writeFile } from 'node:fs/promises';
import { OWN_DISK_BYTES, PORT, type BusServer } from '#hwtest/rig/bus.ts';
import { execIn, spawnIn, waitListening, type Argv, type Program } from '#hwtest/rig/program.ts';
import type { RigNode } from '#hwtest/rig/rig.ts';
import type { TwoNodes } from '#hwtest/suites/twoNodes.ts';

export interface Fault {
  readonly name: string;
  readonly begin: () => Promise<void>;
  readonly end: () => Promise<void>;
}

const PROXY_PORT = 4299;

const nothing = (): Promise<void> => Promise.resolve();

/** All servers killed at once, and started with what they had. */
export const killed = (name: string, servers: readonly BusServer[]): Fault => ({
  name,
  begin: async () => void (await Promise.all(servers.map((each) => each.kill()))),
  end: async () => void (await Promise.all(servers.map((each) => each.start()))),
});

/** Servers that answer nobody and close nothing: a disk that does not come back, a machine that hangs. */
export const suspended = (name: string, servers: readonly BusServer[]): Fault => ({
  name,
  begin: async () => servers.forEach((each) => each.signal('SIGSTOP')),
  end: async () => servers.forEach((each) => each.signal('SIGCONT')),
});

/** Packets dropped at a node by `rule` of a chain at `hook`. */
export function cut(
  { rig }: TwoNodes,
  name: string,
  nodes: readonly RigNode[],
  rules: readonly (readonly [hook: 'input' | 'output', match: string])[],
): Fault {
  const table = 'inet chaos';
  const text = [
    `table ${table} {`,
    ...rules.map(
      ([hook, match], i) =>
        `chain c${i} { type filter hook ${hook} priority 0; policy accept; ${match} drop; }`,
    ),
    '}',
  ].join('\n');
  const each = async (argv: Argv, input?: string): Promise<void> => {
    for (const node of nodes) await rig.exec(node, argv, input === undefined ? {} : { input });
  };
  return {
    name,
    begin: () => each(['nft', '-f', '-'], text),
    end: () => each(['nft', 'delete', 'table', 'inet', 'chaos']),
  };
}

/** A server starts with an empty disk. */
export const emptied = (name: string, servers: readonly BusServer[]): Fault => ({
  name,
  begin: async () => {
    await Promise.all(servers.map((each) => each.kill()));
    await Promise.all(
      servers.map(({ storeDir }) => rm(storeDir, { recursive: true, force: true })),
    );
  },
  end: async () => void (await Promise.all(servers.map((each) => each.start()))),
});

/** A server starts with what it had when `backUp` was called. */
export function restored(name: string, server: BusServer): Fault & { backUp(): Promise<void> } {
  const copy = `${server.storeDir}.backup`;
  return {
    name,
    backUp: async () => {
      await server.kill();
      await cp(server.storeDir, copy, { recursive: true });
      await server.start();
    },
    begin: async () => {
      await server.kill();
      await rm(server.storeDir, { recursive: true, force: true });
      await cp(copy, server.storeDir, { recursive: true });
    },
    end: () => server.start(),
  };
}

/**
 * Nothing more can be stored: the file system of its store is full to the last block. It ends as an operator ends it: there
 * is room again, and the server starts anew. nats-server (2.9.10) says nothing of what it could not write, goes on leading
 * streams that way, and neither steps down nor comes right by itself (docs/bus.md).
 */
export function full(name: string, server: BusServer): Fault {
  const fill = (): string => `/proc/${server.pid}/root${server.storeDir}/fill`;
  return {
    name,
    begin: () =>
      writeFile(fill(), Buffer.alloc(OWN_DISK_BYTES)).catch((cause: unknown) => {
        if ((cause as NodeJS.ErrnoException).code !== 'ENOSPC') throw cause;
      }),
    end: async () => {
      await rm(fill());
      await server.kill();
      await server.start();
    },
  };
}

/** Every process that a process started, and itself. */
function familyOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  return [pid, ...children.filter(Boolean).flatMap((child) => familyOf(Number(child)))];
}

/** A node's agent, control plane and data plane, neither runs nor ends: a machine that was suspended. */
export function agentSuspended(both: TwoNodes, name: string, node: string): Fault {
  let stopped: readonly number[] = [];
  return {
    name,
    begin: () => {
      stopped = familyOf(both.agent(node).program.pid);
      for (const pid of stopped) process.kill(pid, 'SIGSTOP');
      return nothing();
    },
    end: () => {
      for (const pid of stopped) process.kill(pid, 'SIGCONT');
      return nothing();
    },
  };
}

/** Control planes killed at once, and, `whenDown` having been waited for, started; `end` is the end of what that does. */
export const controlPlanesKilled = (
  both: TwoNodes,
  name: string,
  nodes: readonly RigNode[],
  { whenDown, end }: { whenDown: () => Promise<void>; end: () => Promise<void> },
): Fault => ({
  name,
  begin: async () => {
    for (const { name: node } of nodes) {
      const { program } = both.agent(node);
      program.kill('SIGKILL');
      await program.ended;
    }
    await whenDown();
    for (const { name: node } of nodes) both.startAgain(node);
  },
  end,
});

/** The server that leads the stream of records. */
export async function leaderOf(both: TwoNodes): Promise<BusServer> {
  const { rig } = both;
  const { urls, caFile, adminFile, servers } = rig.bus;
  const script = `${import.meta.dirname}/saboteur.ts`;
  const argv: Argv = [process.execPath, script, 'leader', urls.join(','), caFile, adminFile];
  const [node] = rig.nodes;
  if (!node) throw new RangeError('a rig without nodes');
  const { stdout } = await rig.exec(node, [...argv, rig.cluster], { timeoutMs: 60_000 });
  const found = servers[Number(stdout.toString().trim().split('-').at(-1))];
  if (!found) throw new RangeError(`no server ${stdout.toString()}`);
  return found;
}

/** Nodes reach the server by a proxy alone, which repeats, delays and reorders what is said to them. */
export function proxied({ rig }: TwoNodes, name: string, server: BusServer): Fault {
  const { place } = rig.bus;
  const { host, configDir } = server;
  const rule = `iifname != "lo" ip daddr ${host} tcp dport ${PORT} redirect to :${PROXY_PORT}`;
  const chain = `chain to {\ntype nat hook prerouting priority -100\n${rule}\n}`;
  let proxy: Program | undefined;
  return {
    name,
    begin: async () => {
      const files = ['server.key', 'server.pem', 'ca.pem'].map((file) => `${configDir}/${file}`);
      const script = `${import.meta.dirname}/proxy.ts`;
      const where = [String(PROXY_PORT), host, String(PORT)];
      const argv: Argv = [process.execPath, script, ...where, ...files, `tl.${rig.cluster}.`];
      proxy = spawnIn(place, argv, { name: 'proxy', logFile: `${rig.dir}/bus/proxy.log` });
      await waitListening(proxy, PROXY_PORT);
      await execIn(place, ['nft', '-f', '-'], { input: `table ip chaos {\n${chain}\n}\n` });
      await server.kill(); // so that all connect anew
      await server.start();
    },
    end: async () => {
      await execIn(place, ['nft', 'delete', 'table', 'ip', 'chaos']);
      await proxy?.stop();
    },
  };
}

export interface Sabotage {
  readonly mode: 'keep' | 'replay' | 'echo' | 'corrupt' | 'forge';
  readonly seconds: number;
  readonly file?: string;
}

/** Has somebody with an operator's credentials say things on the bus; how many. */
export async function sabotage(
  { rig }: TwoNodes,
  { mode, seconds, file = '' }: Sabotage,
): Promise<number> {
  const { urls, caFile, adminFile } = rig.bus;
  const script = `${import.meta.dirname}/saboteur.ts`;
  const bus = [urls.join(','), caFile, adminFile, rig.cluster] as const;
  const argv: Argv = [process.execPath, script, mode, ...bus, String(seconds), file];
  const [node] = rig.nodes;
  if (!node) throw new RangeError('a rig without nodes');
  const { stdout } = await rig.exec(node, argv, { timeoutMs: (seconds + 60) * 1000 });
  return Number(stdout.toString());
}

/** Sabotage that goes on until the fault is over, and said something. */
export function sabotaged(both: TwoNodes, name: string, what: Sabotage): Fault {
  let running: Promise<number> | undefined;
  return {
    name,
    begin: () => {
      running = sabotage(both, what);
      running.catch(() => undefined); // end() says so
      return nothing();
    },
    end: async () => {
      if (!(await running)) throw new RangeError(`${name}: nothing was said`);
    },
  };
}
