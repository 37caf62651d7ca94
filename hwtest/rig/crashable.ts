// How the `tidelock` program of this checkout is called so that a worker thread of its data plane can be
// made to end by a defect: SIGUSR2 to the data plane throws in one of its workers. Nothing in the product
// knows of it: this module is loaded before the agent and has the data plane run another main module.
import childProcess from 'node:child_process';
import { syncBuiltinESMExports } from 'node:module';
import type { Argv } from './program.ts';

const MAIN = `${import.meta.dirname}/../../agent/main.ts`;
const PLANE = /\/proxy\/main\.ts$/;
const CRASHABLE_PLANE = `${import.meta.dirname}/crashablePlane.ts`;

/** Arguments of a verb follow. */
export const CRASHABLE: Argv = [process.execPath, '--import', import.meta.filename, MAIN];

if (process.execArgv.includes(import.meta.filename)) {
  const { spawn } = childProcess;
  const withPlane = (args: readonly string[]): readonly string[] =>
    args.map((arg) => (PLANE.test(arg) ? CRASHABLE_PLANE : arg));
  Object.assign(childProcess, {
    spawn: (command: string, args: readonly string[], options: childProcess.SpawnOptions) =>
      spawn(command, withPlane(args), options),
  });
  syncBuiltinESMExports();
}
