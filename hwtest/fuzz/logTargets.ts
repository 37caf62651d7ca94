// Targets that firmware and the kernel write: event logs of TPMs and of confidential guests, IMA lists.
import { checkEventLog } from '#attest/eventlog/check.ts';
import { replayRtmrs } from '#attest/eventlog/ccel.ts';
import { readEvents } from '#attest/eventlog/decode.ts';
import { describeRead } from '#attest/eventlog/describe.ts';
import { parseEventLog } from '#attest/eventlog/parse.ts';
import { judgeIma } from '#attest/ima/judge.ts';
import { imaEntries } from '#attest/ima/list.ts';
import { writeImaList } from '#attest/testdata/imaList.ts';
import { eventLogs, guestLogs, vectorsIn } from './samples.ts';
import { parser, type Target } from './target.ts';

const QUOTED = { bank: 'sha256', value: '00'.repeat(32) } as const;

const imaLists = (): Buffer[] => [
  writeImaList(3, 'ascii').list,
  writeImaList(3, 'binary').list,
  ...vectorsIn('ima', /ima/).map((list) => list.subarray(0, 2048)),
];

export const LOG_TARGETS: readonly Target[] = [
  parser('event log', eventLogs, parseEventLog, 5),
  parser('event log, decoded and told', eventLogs, tell, 2),
  parser('event log, replayed and held against PCRs', eventLogs, (bytes) =>
    checkEventLog(bytes, 'sha256', new Map([[0, Buffer.alloc(32)]])),
  ),
  parser('CCEL', guestLogs, replayRtmrs, 2),
  parser('IMA list', imaLists, (bytes) => [...imaEntries(bytes)]),
  parser('IMA list, judged', imaLists, (list) => judgeIma({ list, quoted: QUOTED }), 5),
];

function tell(bytes: Buffer): void {
  for (const event of readEvents(parseEventLog(bytes))) describeRead(event);
}
