// What a demo leaves behind in one directory: its result, each node's attestation report, status and
// log, what is needed to verify the reports, and what failed.
import {
  accessSync,
  constants,
  copyFileSync,
  cpSync,
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
  readonly dir: string;
  /** Errors: those of the file system, for all of these. */
  status(status: Status): void;
  /** Keeps what the reports are verified under: the owner's public key and the roots of EK certificates. */
  trust(ownerFile: string, rootsDir: string): void;
  result(result: DemoResult): void;
  /** Lines about requests that failed; no lines, no file. */
  failed(lines: readonly string[]): void;
  /** Keeps the agents' logs, as far as there are any. */
  logs(nodes: readonly RigNode[]): void;
}

const RESULT_FILE = 'result.json';
const FAILED_FILE = 'failed.txt';
const OWNER_FILE = 'owner.pub';
const ROOTS_DIR = 'ek-roots';
const OF_A_NODE = ['json', 'html', 'status.json', 'log'];

/**
 * Opens `dir`, making it if its parent exists; reports of an earlier demo, which could be taken for
 * this one's, are removed. Errors: FILE_UNWRITABLE.
 */
export function openReports(dir: string): Reports {
  prepare(dir);
  return {
    dir,
    status: (status) =>
      writeFileSync(
        `${dir}/${status.node.name}.status.json`,
        `${JSON.stringify(status, undefined, 2)}\n`,
      ),
    trust: (ownerFile, rootsDir) => {
      copyFileSync(ownerFile, `${dir}/${OWNER_FILE}`);
      cpSync(rootsDir, `${dir}/${ROOTS_DIR}`, { recursive: true });
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
    const ofNodes = NODES.flatMap((node) => OF_A_NODE.map((form) => `${node}.${form}`));
    for (const name of [RESULT_FILE, FAILED_FILE, OWNER_FILE, ROOTS_DIR, ...ofNodes]) {
      rmSync(`${dir}/${name}`, { force: true, recursive: true });
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
