// A capture of everything that crosses the switch of a rig, by tcpdump, both directions, whole packets.
import { readFileSync } from 'node:fs';
import { utf8 } from '#agent/base/bytes.ts';
import { searchCapture, type CaptureSearch } from './pcap.ts';
import { spawnIn, waitFor, type Place, type Program } from './program.ts';
import { SWITCH_INTERFACE } from './topology.ts';

export interface Capture {
  readonly file: string;
  /** Ends the capture, complete up to this moment, and tells how many packets the kernel dropped. */
  stop(): Promise<{ readonly dropped: number }>;
  /** Looks for `canaries`; after `stop`. */
  search(canaries: readonly string[]): Promise<CaptureSearch>;
}

/** Starts tcpdump on the switch; returns when it captures. Errors: RIG_PROGRAM. */
export async function startCapture(place: Place, dir: string, name: string): Promise<Capture> {
  const file = `${dir}/${name}.pcap`;
  const logFile = `${dir}/${name}.log`;
  const tcpdump = spawnIn(
    place,
    [
      'tcpdump',
      `--interface=${SWITCH_INTERFACE}`,
      '-n',
      '--snapshot-length=0',
      '--buffer-size=65536', // KiB, in the kernel
      '--relinquish-privileges=root', // the directory is root's alone
      '-w',
      file,
    ],
    { name: 'tcpdump', logFile },
  );
  await waitFor(tcpdump, 'the capture', () => log(logFile).includes('listening on'));
  return {
    file,
    stop: async () => {
      await drained(tcpdump);
      tcpdump.kill('SIGINT');
      await tcpdump.ended;
      return { dropped: lastCount(logFile, 'dropped by kernel') };
    },
    search: (canaries) => searchCapture(file, canaries.map(utf8)),
  };
}

/**
 * The kernel hands packets over in blocks, up to a second late, and SIGINT loses the block in hand.
 * On SIGUSR1 tcpdump prints what it has read and what the kernel has seen: they meet when all is read.
 */
const drained = (tcpdump: Program): Promise<void> =>
  waitFor(tcpdump, 'the end of the capture', () => {
    const { logFile } = tcpdump;
    const read = lastCount(logFile, 'captured');
    const seen = lastCount(logFile, 'received by filter');
    if (log(logFile).includes('received by filter') && read >= seen) return true;
    tcpdump.kill('SIGUSR1');
    return false;
  });

const lastCount = (logFile: string, what: string): number =>
  Number([...log(logFile).matchAll(new RegExp(`(\\d+) packets? ${what}`, 'g'))].at(-1)?.[1] ?? 0);

const log = (logFile: string): string => readFileSync(logFile, 'utf8');
