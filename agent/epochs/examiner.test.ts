// What an examiner remembers; what it finds has tests with real TPMs (attest/attestation.hw.test.ts).
import { expect, test } from 'vitest';
import type { NodeName, Sid } from '#agent/base/brands.ts';
import type { Bus } from './bus.ts';
import { Examiner, type Examined, type ExaminerOptions } from './examiner.ts';
import { appraisalOf, drawNode, NOW_MS } from './records.fixture.ts';
import { subjectsOf } from './subjects.ts';

const TTL_MS = 600_000;
const own = drawNode('node-a');
const { node, sid } = own.statement;

/** Takes any evidence as long as `isFresh`, and counts how often it was looked at. */
class Counting extends Examiner {
  looks = 0;
  isFresh = true;
  readonly #clock: ExaminerOptions['clock'];

  constructor(options: ExaminerOptions) {
    super(options);
    this.#clock = options.clock;
  }

  override appraise(_node: NodeName, _sid: Sid): Promise<Examined> {
    this.looks += 1;
    const verdict = this.isFresh ? 'affirming' : 'contraindicated';
    const examined = {
      known: true,
      statement: own.statement,
      appraisal: { ...appraisalOf(verdict), atMs: this.#clock.wallMs() },
      evidenceDigest: '0'.repeat(64),
      challengeRandom: '',
    } as const;
    if (this.isFresh) this.remember(examined);
    return Promise.resolve(examined);
  }
}

test('what was found of evidence counts for the lifetime of an attestation, then it is looked at again', async () => {
  let nowMs = NOW_MS;
  const bus: Pick<Bus, 'get'> = { get: () => Promise.resolve({ value: {}, revision: 1 }) };
  const examiner = new Counting({
    bus: bus as Bus,
    subjects: subjectsOf('c'),
    clock: { wallMs: () => nowMs, monoMs: () => nowMs, after: () => () => undefined },
    maxAgeMs: TTL_MS,
  } as Partial<ExaminerOptions> as ExaminerOptions);
  const verdict = async (): Promise<string> => {
    const examined = await examiner.examine(node, sid);
    return examined.known ? examined.appraisal.verdict : examined.why;
  };
  expect(await verdict()).toBe('affirming');
  examiner.isFresh = false; // the record that it rests on is too old by now
  nowMs = NOW_MS + TTL_MS;
  expect([await verdict(), examiner.looks]).toEqual(['affirming', 1]);
  nowMs += 1;
  expect([await verdict(), examiner.looks]).toEqual(['contraindicated', 2]);
  examiner.forget(node);
  expect(examiner.remembered(sid)).toBeUndefined();
});
