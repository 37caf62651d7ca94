// What a demo leaves behind: its result, each node's status and log, and what failed, in one directory.
import {
  accessSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import type { Status } from '#agent/api/status.ts';
import { messageOf, TidelockError } from '#agent/base/errors.ts';
import type { RigNode } from '#hwtest/rig/rig.ts';
import { NODES } from './plan.ts';
import type { DemoResult } from './result.ts';

export interface Reports {
  /** Returns the path of what was written. Errors: those of the file system, for all of these. */
  status(status: Status): string;
  result(result: DemoResult): void;
  /** Lines about requests that failed; no lines, no file. */
  failed(lines: readonly string[]): void;
  /** Keeps the agents' logs, as far as there are any. */
  logs(nodes: readonly RigNode[]): void;
}

const RESULT_FILE = 'result.json';
const FAILED_FILE = 'failed.txt';

/**
 * Opens `dir`, making it if its parent exists; reports of an earlier demo, which could be taken for
 * this one's, are removed. Errors: FILE_UNWRITABLE.
 */
export function openReports(dir: string): Reports {
  prepare(dir);
  return {
    status: (status) => {
      const file = `${dir}/${status.node.name}.json`;
      writeFileSync(file, `${JSON.stringify(status, undefined, 2)}\n`);
      return file;
    },
    result: (result) =>
      writeFileSync(`${dir}/${RESULT_FILE}`, `${JSON.stringify(result, undefined, 2)}\n`),
    failed: (lines) => {
      if (lines.length > 0) writeFileSync(`${dir}/${FAILED_FILE}`, `${lines.join('\n')}\n`);
    },
    logs: (nodes) => {
      for (const node of nodes) {
        const log = `${node.dir}/agent.log`;
        if (existsSync(log)) copyFileSync(log, `${dir}/${node.name}.log`);
      }
    },
  };
}

function prepare(dir: string): void {
  try {
    if (!existsSync(dir)) mkdirSync(dir);
    const ofNodes = NODES.flatMap((node) => [`${node}.json`, `${node}.log`]);
    for (const name of [RESULT_FILE, FAILED_FILE, ...ofNodes]) {
      rmSync(`${dir}/${name}`, { force: true });
    }
    accessSync(dir, constants.W_OK);
  } catch (cause) {
    throw new TidelockError('FILE_UNWRITABLE', {
      op: 'demo.report',
      message: `Cannot use ${dir} for the reports: ${messageOf(cause)}`,
      hint: 'Name a directory that can be written to with --out.',
      cause,
    });
  }
}
