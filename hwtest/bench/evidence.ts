// The verb `evidence` of the bench: verifies evidence of every kind in turn, round by round, beside the
// programs of others that do something of it, and says what that means for a cluster.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { EXIT } from '#agent/base/codes.ts';
import { TidelockError } from '#agent/base/errors.ts';
import { usage } from '#agent/cli/arguments.ts';
import { printResult } from '#agent/cli/output.ts';
import { defineVerb } from '#agent/cli/verb.ts';
import { evidencePeers, timePeer, type EvidencePeer } from './evidencePeers.ts';
import {
  evidencePage,
  figureOf,
  shareOfCore,
  type EvidenceBench,
  type EvidenceFigure,
  type Timed,
} from './evidenceResult.ts';
import { evidenceSubjects, type EvidenceSubject } from './evidenceSubjects.ts';
import { hostFacts } from './hostFacts.ts';
import { PROGRAM } from './program.ts';

const ROUNDS = 30;
const MAX_ROUNDS = 1000;
/** Verifications of a subject in each round. */
const BLOCK = 20;
/** Until compilers are done. */
const WARM_UP = 300;
/** Programs are slow to start and vary little. */
const ROUNDS_A_PEER = 3;

/** `npm run bench -- evidence`. */
export const evidence = defineVerb({
  name: 'evidence',
  flags: {
    rounds: {
      type: 'string',
      value: 'N',
      help: `rounds of ${BLOCK} verifications each, ${ROUNDS}`,
    },
    only: {
      type: 'strings',
      value: 'WORD',
      help: 'subjects whose names hold it, and no program of others; may be repeated',
    },
    out: { type: 'string', value: 'DIR', help: 'also write evidence.md and evidence.json there' },
  },
  about:
    'Measures how long evidence takes to verify, from recorded data: quotes, event logs, IMA lists, EK certificates, SNP reports, TDX quotes, Nitro documents, reports and results; and what 1,000 nodes that renew every minute take of a core.',
  example: 'npm run -s bench -- evidence --out docs/bench -o json',
  run: async (invocation) => {
    const { flags, terminal } = invocation;
    const rounds = roundsOf(flags.rounds);
    const all = await evidenceSubjects();
    const subjects = all.filter(({ name }) => chosen(flags.only, name));
    if (subjects.length === 0) {
      throw usage('evidence', `no subject is called ${flags.only.join(' or ')}`, PROGRAM);
    }
    const peers = flags.only.length === 0 ? evidencePeers() : [];
    const bench = measure({ subjects, peers, rounds }, (line) => terminal.err(`${line}\n`));
    if (flags.out !== undefined) write(resolve(terminal.cwd, flags.out), bench);
    printResult(invocation, bench.kind, bench, evidencePage(bench));
    return EXIT.ok;
  },
});

const chosen = (words: readonly string[], name: string): boolean =>
  words.length === 0 || words.some((word) => name.includes(word));

interface Plan {
  readonly subjects: readonly EvidenceSubject[];
  readonly peers: readonly EvidencePeer[];
  readonly rounds: number;
}

function measure(plan: Plan, log: (line: string) => void): EvidenceBench {
  const { subjects, rounds } = plan;
  log('warming up');
  for (const { name, verify } of subjects) {
    const verdict = verify();
    if (verdict !== 'affirming' && verdict !== 'warning') throw badSample(name, verdict);
    for (let run = 1; run < WARM_UP; run += 1) verify();
  }
  const timed = subjects.map((subject) => ({ ...subject, ...emptyTimes() }));
  const peers = plan.peers.map((peer) => ({ ...peer, ...emptyTimes() }));
  for (let round = 0; round < rounds; round += 1) {
    log(`round ${round + 1} of ${rounds}`);
    for (const subject of timed) timeBlock(subject);
    for (const peer of round % ROUNDS_A_PEER === 0 ? peers : []) peer.tookMs.push(timePeer(peer));
  }
  const figures = timed.map(figureOf);
  return {
    kind: 'EvidenceBench',
    machine: hostFacts(),
    subjects: figures,
    peers: peers.map(figureOf),
    renewals: renewalsOf(figures),
  };
}

interface Times extends Timed {
  readonly tookMs: number[];
  readonly cpuMs: number[];
}

const emptyTimes = (): Pick<Times, 'tookMs' | 'cpuMs'> => ({ tookMs: [], cpuMs: [] });

function timeBlock({ verify, tookMs, cpuMs }: Times & Pick<EvidenceSubject, 'verify'>): void {
  const before = process.cpuUsage();
  for (let run = 0; run < BLOCK; run += 1) {
    const begin = performance.now();
    verify();
    tookMs.push(performance.now() - begin);
  }
  const { user, system } = process.cpuUsage(before);
  cpuMs.push((user + system) / 1000 / BLOCK);
}

const RENEWALS: readonly string[] = ['renewal', 'quote, log and IMA list', 'SNP', 'TDX'];

const renewalsOf = (figures: readonly EvidenceFigure[]): EvidenceBench['renewals'] =>
  Object.fromEntries(
    figures
      .filter(({ name }) => RENEWALS.includes(name))
      .map((figure) => [figure.label, shareOfCore(figure)]),
  );

const badSample = (name: string, verdict: string): TidelockError =>
  new TidelockError('RIG_PROGRAM', {
    op: 'bench.evidence',
    message: `Cannot measure ${name}: its verdict is ${verdict}`,
    hint: 'Good evidence must verify before it is worth timing: run the tests of its folder.',
  });

function roundsOf(given: string | undefined): number {
  if (given === undefined) return ROUNDS;
  const rounds = Number(given);
  if (Number.isInteger(rounds) && rounds >= 1 && rounds <= MAX_ROUNDS) return rounds;
  const state = `--rounds is ${JSON.stringify(given)} and must be 1 to ${MAX_ROUNDS}`;
  throw usage('evidence', state, PROGRAM);
}

function write(directory: string, bench: EvidenceBench): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'evidence.md'), evidencePage(bench));
  writeFileSync(join(directory, 'evidence.json'), `${JSON.stringify(bench, null, 2)}\n`);
}
