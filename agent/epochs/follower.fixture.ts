// A follower of records on a bus that has kept what a test says, with an examiner that answers as it says.
import { SlotClock } from '#proxy/chips/slotClock.ts';
import { RecordFollower, type FollowerOptions } from './follower.ts';
import { RecordHistory } from './history.ts';
import { ChainKeeper } from './keeper.ts';
import { Members } from './members.ts';
import {
  appraisalOf,
  drawNode,
  examinerOf,
  keptLog,
  NOW_SLOT,
  PERIOD_MS,
  recordBy,
  stillClock,
} from './records.fixture.ts';
import { subjectsOf } from './subjects.ts';

export const POLICY_HASH = 'ee'.repeat(32);
export const LOOK_BACK_MS = 60_000;

export const [conductor, stranger] = [drawNode('node-a'), drawNode('node-x')];

interface Given extends Partial<Pick<FollowerOptions, 'clock' | 'examiner' | 'slots'>> {
  readonly history?: RecordHistory;
  readonly roster?: 'lost';
  readonly onRead?: () => void;
  /** False: the bus ceases to answer after what is stored. */
  readonly isAnswered?: () => boolean;
}

/** A follower of a bus that has kept `stored`, newest first. */
export function follow(stored: readonly unknown[], given: Given = {}) {
  const { history = new RecordHistory(POLICY_HASH, 3_600_000), roster, onRead, isAnswered } = given;
  const bus = {
    connected: true,
    count: () => {
      onRead?.();
      return Promise.resolve(stored.length);
    },
    history: async function* () {
      yield* stored;
      if (isAnswered?.() === false) throw new Error('no answer');
    },
  };
  const follower = new RecordFollower({
    bus,
    subjects: subjectsOf('c'),
    examiner: given.examiner ?? examinerOf(new Map([[conductor, appraisalOf('affirming')]])),
    keeper: new ChainKeeper({ maxStalenessMs: 3_600_000 }),
    history,
    source: {
      load: () => Promise.resolve(roster === 'lost' ? undefined : Members.none),
    },
    slots: given.slots ?? new SlotClock(stillClock, PERIOD_MS),
    clock: given.clock ?? stillClock,
    log: keptLog().log,
    limits: {
      domain: 'example.org',
      cluster: 'c',
      periodMs: { min: 1000, max: 30_000 },
      algorithms: [1],
    },
    lookBackMs: LOOK_BACK_MS,
    ownStatement: () => undefined,
  });
  return { follower, history };
}

/** Counts what is fetched; `isAccepted` is asked each time. What is `isAbsent` has no evidence anywhere. */
export function examinerThat(
  isAccepted: (sid: string) => boolean,
  isAbsent: (sid: string) => boolean = () => false,
) {
  const asked: string[] = [];
  const examine: FollowerOptions['examiner']['examine'] = (node, sid) => {
    asked.push(sid);
    const own = [conductor, stranger].find(({ statement }) => statement.sid === sid);
    if (!own) return Promise.resolve({ known: false, why: 'none', isAbsent: isAbsent(sid) });
    const verdict = isAccepted(sid) ? 'affirming' : 'contraindicated';
    return examinerOf(new Map([[own, appraisalOf(verdict)]])).examine(node, sid);
  };
  return { examine, asked };
}

/** A record of the conductor and its successor. */
export function twoRecords() {
  const first = recordBy(conductor);
  const second = recordBy(conductor, {
    kind: 'epoch',
    epoch: 2,
    parent: first.record.chainId,
    prev: first.record.hash,
    atSlot: NOW_SLOT,
    rootCommit: undefined,
  });
  return { first, second };
}
