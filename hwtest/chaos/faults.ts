// What is done to a bus and to the way there. A fault begins, is held while applications go on, and ends; all of it is
// real: signals, nftables, files.
import { cp, rm, writeFile } from 'node:fs/promises';
import { OWN_DISK_BYTES, type BusServer } from '#hwtest/rig/bus.ts';
import type { Argv } from '#hwtest/rig/program.ts';
import type { RigNode } from '#hwtest/rig/rig.ts';
import type { TwoNodes } from '#hwtest/suites/twoNodes.ts';

export interface Fault {
  readonly name: string;
  readonly begin: () => Promise<void>;
  readonly end: () => Promise<void>;
}

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

/** Nothing more can be stored: the file system of its store is full to the last block. */
export function full(name: string, server: BusServer): Fault {
  const fill = (): string => `/proc/${server.pid}/root${server.storeDir}/fill`;
  return {
    name,
    begin: () =>
      writeFile(fill(), Buffer.alloc(OWN_DISK_BYTES)).catch((cause: unknown) => {
        if ((cause as NodeJS.ErrnoException).code !== 'ENOSPC') throw cause;
      }),
    end: () => rm(fill()),
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
