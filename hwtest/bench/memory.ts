// What idle connections cost in memory: of the proxies as /proc says, and of the kernel, whose share can
// only be had of the whole machine. Once a run of the bench, while the processes are still new: what
// they have grown to under load would hide it.
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { spawnIn, waitFor, type Program } from '#hwtest/rig/program.ts';
import type { Values } from './figures.ts';
import { failure, loadArgv, newConnections, type Effort } from './measure.ts';
import { residentBytesOf, treeOf } from './processes.ts';
import type { Subject } from './subject.ts';

/** Connections that are held: first so many, then so many in all. */
const FEW = 1000;
const MANY = 8000;
/** What memory has settled after. */
const SETTLE_MS = 2000;
const OPEN_MS = 120_000;
const KIB = 1024;
const MIB = KIB * KIB;
const NODES = 2;

const idleSchema = z.object({ opened: z.int(), failed: z.int() });

interface Held {
  readonly dataBytes: number;
  readonly besideBytes: number;
  readonly kernelBytes: number;
}

/** Errors: RIG_PROGRAM when connections fail; those of newConnections. */
export async function measureMemory(subject: Subject, effort: Effort): Promise<Values> {
  // Compiles what every connection runs through, and leaves no room for thousands of lanes behind.
  await newConnections(subject, { ...effort, connectionSeconds: 1 });
  const holders: Program[] = [];
  const holding = async (count: number): Promise<Held> => {
    if (count > 0) holders.push(await hold(subject, count));
    await pause(SETTLE_MS);
    return usedBy(subject);
  };
  try {
    const none = await holding(0);
    const few = await holding(FEW);
    const many = await holding(MANY - FEW);
    const kernelLane = (many.kernelBytes - none.kernelBytes) / MANY / KIB;
    if (subject.pids.length === 0) return { kernelLane };
    const grown = many.dataBytes + many.besideBytes - none.dataBytes - none.besideBytes;
    return {
      memoryIdle: none.dataBytes / MIB,
      memory1000: few.dataBytes / MIB,
      memory8000: many.dataBytes / MIB,
      perLane: grown / NODES / MANY / KIB,
      kernelLane,
      ...(subject.beside.length > 0 && { memoryBeside: none.besideBytes / MIB }),
    };
  } finally {
    for (const holder of holders) await holder.stop();
  }
}

async function hold(subject: Subject, count: number): Promise<Program> {
  const holder = spawnIn(subject.client.place, loadArgv(subject, 'idle', count), {
    name: 'idle',
    logFile: `${subject.rig.dir}/idle-${subject.name.replaceAll('/', '_')}-${count}.log`,
  });
  try {
    const answer = (): string | undefined =>
      readFileSync(holder.logFile, 'utf8')
        .split('\n')
        .find((line) => line.startsWith('{'));
    await waitFor(holder, 'the last connection', () => answer() !== undefined, OPEN_MS);
    const { opened, failed } = idleSchema.parse(JSON.parse(answer() ?? ''));
    if (failed > 0) throw failure(subject, `${failed} of ${opened + failed} connections failed`);
    return holder;
  } catch (thrown) {
    await holder.stop();
    throw thrown;
  }
}

const usedBy = ({ pids, beside }: Subject): Held => ({
  dataBytes: residentBytesOf(treeOf(pids)),
  besideBytes: residentBytesOf(beside),
  kernelBytes: kernelBytes(),
});

/** Slab of the machine (proc_meminfo(5)): sockets, their files and what epoll keeps of them. */
const kernelBytes = (): number =>
  Number(/^Slab:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'latin1'))?.[1]) * KIB;
