// A conversation that goes on while a suite does something: an exchange each 100 ms on one connection to
// redis, and each answer one more than the last, so that a lost or a repeated one shows.
import { readFileSync } from 'node:fs';
import type { Program } from '#hwtest/rig/program.ts';
import type { Rig, RigPod } from '#hwtest/rig/rig.ts';
import { REDIS_PORT } from '#hwtest/rig/servers.ts';

/** From `client` to the redis of `server`, counting under `name`; `times` -1: until stopped. */
export function startSession(
  rig: Rig,
  client: RigPod,
  server: RigPod,
  name: string,
  times = -1,
): Program {
  const at = ['-h', server.address, '-p', String(REDIS_PORT)];
  const command = ['-r', String(times), '-i', '0.1', 'INCR', name];
  return rig.spawn(client, ['redis-cli', ...at, ...command], { name });
}

export const answersOf = ({ logFile }: Program): string[] =>
  readFileSync(logFile, 'utf8').trim().split('\n').filter(Boolean);

/** What `n` answers are when none is missing. */
export const countedTo = (n: number): string[] =>
  Array.from({ length: n }, (_, i) => String(i + 1));
