// Connections that a pod holds (holder.ts), and what it says of them.
import { readFileSync } from 'node:fs';
import { waitListening, type Program } from '#hwtest/rig/program.ts';
import type { HolderSays } from './holder.ts';
import { eventually, type TwoNodes } from './twoNodes.ts';

export const ECHO_PORT = 7007;
const here = import.meta.dirname;

/** Starts the echo server of a pod; holders talk to that of `server`. */
export async function startEcho({ rig }: TwoNodes, name = 'server'): Promise<void> {
  const argv = [process.execPath, `${here}/echo.ts`, String(ECHO_PORT)] as const;
  await waitListening(rig.spawn(rig.pod(name), argv, { name: 'echo' }), ECHO_PORT);
}

/** Connections that pod `name` opens to the echo server, `at` a time, and holds. */
export function hold({ rig }: TwoNodes, name: string, count: number, at = 1): Program {
  const { address } = rig.pod('server');
  const args = [`${here}/holder.ts`, address, ECHO_PORT, count, at].map(String);
  return rig.spawn(rig.pod(name), [process.execPath, ...args], { name: `holder-${count}` });
}

/** What a holder says after a round that began after this was called. */
export async function roundOf({ logFile }: Program, withinMs: number): Promise<HolderSays> {
  const last = (): HolderSays | undefined => {
    const lines = readFileSync(logFile, 'utf8').trim().split('\n');
    const line = lines.findLast((each) => each.startsWith('{') && each.endsWith('}'));
    return line === undefined ? undefined : (JSON.parse(line) as HolderSays);
  };
  const before = last()?.round ?? 0;
  const whole = async (): Promise<HolderSays | undefined> => {
    const says = last();
    return says !== undefined && says.round > before + 1 ? says : undefined;
  };
  return (await eventually('a round of a holder', whole, withinMs)).value;
}
