// Programs of others that verify the same recorded files, and ours beside them as a program: each run
// pays for the start of a process. Only those that are installed.
import { spawnSync } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import { TidelockError } from '#agent/base/errors.ts';
import type { Argv } from '#hwtest/rig/program.ts';
import { hasVector, vectorDirectory, vectorText } from '#attest/testdata/vectors.ts';

export interface EvidencePeer {
  readonly name: string;
  readonly label: string;
  /** Exits 0. */
  readonly argv: Argv;
}

const QUOTE = 'tpm-quote/swtpm-q1_good_sha256';
const at = (file: string): string => vectorDirectory(`${QUOTE}/${file}`);

/** None where the vectors are missing, since none of the others reads anything of our own making. */
export function evidencePeers(): readonly EvidencePeer[] {
  if (!hasVector(QUOTE)) return [];
  const tidelock = [process.execPath, 'agent/main.ts', 'evidence'] as const;
  const nonce = vectorText(`${QUOTE}/nonce.hex`);
  const quote = ['--message', at('quote.msg'), '--signature', at('quote.sig'), '--nonce', nonce];
  const key = ['--ak', at('ak.tpm2b_public'), '--pcrs', at('pcrs.json')];
  const check = ['-u', at('ak.pem'), '-m', at('quote.msg'), '-s', at('quote.sig'), '-q', nonce];
  const chain = ['-CAfile', at('ek-ca-root.pem'), '-untrusted', at('ek-ca-intermediate.pem')];
  const peers: readonly EvidencePeer[] = [
    {
      name: 'tidelock evidence quote',
      label: 'quote',
      argv: [...tidelock, 'quote', ...quote, ...key],
    },
    {
      name: 'tpm2_checkquote',
      label: 'quote: signature and nonce alone',
      argv: ['tpm2_checkquote', ...check],
    },
    {
      name: 'tidelock evidence eventlog',
      label: 'event log',
      argv: [...tidelock, 'eventlog', at('eventlog.bin')],
    },
    {
      name: 'tpm2_eventlog',
      label: 'event log: parsed, replayed, no judgement',
      argv: ['tpm2_eventlog', at('eventlog.bin')],
    },
    {
      name: 'openssl verify',
      label: 'EK certificate: chain alone',
      argv: [
        'openssl',
        'verify',
        '-no_check_time',
        '-ignore_critical',
        ...chain,
        at('ek.cert.der'),
      ],
    },
  ];
  return peers.filter(({ argv }) => spawnSync(argv[0], ['--version']).error === undefined);
}

/** Milliseconds from start to exit. Errors: RIG_PROGRAM when it does not accept what it is given. */
export function timePeer({ name, argv: [program, ...rest] }: EvidencePeer): number {
  const begin = performance.now();
  const { status, stderr } = spawnSync(program, rest, { maxBuffer: 16 << 20 });
  const tookMs = performance.now() - begin;
  if (status === 0) return tookMs;
  throw new TidelockError('RIG_PROGRAM', {
    op: 'bench.peer',
    message: `Cannot time ${name}: it exited with ${status}: ${String(stderr).slice(0, 300)}`,
    hint: 'Run the same command by hand; the files are among the shared vectors.',
  });
}
