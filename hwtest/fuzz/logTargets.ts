// Targets that firmware and the kernel write: event logs of TPMs and of confidential guests, the UEFI
// structures in them, IMA lists.
import { checkEventLog } from '#attest/eventlog/check.ts';
import { replayRtmrs } from '#attest/eventlog/ccel.ts';
import { ccelDocument } from '#attest/eventlog/ccelDocument.ts';
import { parseDevicePath } from '#attest/eventlog/devicePath.ts';
import { describeEvent } from '#attest/eventlog/describe.ts';
import { eventDocuments, logDocument, readLog } from '#attest/eventlog/document.ts';
import { parsePartitionTable } from '#attest/eventlog/gpt.ts';
import { parseImageLoad } from '#attest/eventlog/imageLoad.ts';
import { parseLoadOption } from '#attest/eventlog/loadOption.ts';
import { parseEventLog } from '#attest/eventlog/parse.ts';
import { RTMRS } from '#attest/eventlog/registers.ts';
import { parseSignatureLists } from '#attest/eventlog/signatureList.ts';
import { parseVariable } from '#attest/eventlog/variable.ts';
import { GLOBAL_VARIABLE } from '#attest/eventlog/guid.ts';
import { judgeIma } from '#attest/ima/judge.ts';
import { imaEntries } from '#attest/ima/list.ts';
import { judgeBoot } from '#attest/policy/judge.ts';
import { BOOT } from '#attest/testdata/boot.ts';
import { asciiList, binaryList } from '#attest/testdata/imaEntries.ts';
import { ALL_TEMPLATES } from '#attest/testdata/imaTemplates.ts';
import { logOf, policyOf, updatedBoot } from '#attest/testdata/referencePolicy.ts';
import {
  diskPath,
  imageLoad,
  loadOption,
  partitionTable,
  SHA256_LIST,
  signatureList,
  uefiVariable,
} from '#attest/testdata/uefi.ts';
import { eventLogs, guestLogs, vectorsIn } from './samples.ts';
import { parser, type Target } from './target.ts';

const QUOTED = { bank: 'sha256', value: '00'.repeat(32) } as const;
const BOOTS = [BOOT, updatedBoot(4, 'another boot loader')];
const policy = policyOf(BOOTS.map((boot, index) => ({ log: logOf(boot), note: `${index}` })));

const FILE = diskPath('\\EFI\\debian\\shimx64.efi');
const imaLists = (): Buffer[] => [
  ...ALL_TEMPLATES.flatMap(([, entry]) => [asciiList([entry]), binaryList([entry])]),
  ...vectorsIn('ima', /ima/).map((list) => list.subarray(0, 2048)),
];

export const LOG_TARGETS: readonly Target[] = [
  parser('event log', eventLogs, parseEventLog, 5),
  parser('event log, decoded and judged', eventLogs, judged, 1),
  parser('event log, replayed and held against PCRs', eventLogs, (bytes) =>
    checkEventLog(bytes, 'sha256', new Map([[0, Buffer.alloc(32)]])),
  ),
  parser('event log, held against a reference policy', eventLogs, (bytes) => {
    judgeBoot({ policy, log: parseEventLog(bytes), quoted: new Map(), atMs: 0 });
  }),
  parser('CCEL', guestLogs, replayRtmrs, 2),
  parser(
    'CCEL, judged',
    guestLogs,
    (bytes) => ccelDocument(readLog(bytes, RTMRS), bytes.length),
    1,
  ),
  parser('UEFI variable', () => [uefiVariable(GLOBAL_VARIABLE, 'PK', FILE)], parseVariable),
  parser('EFI signature lists', signatureLists, parseSignatureLists),
  parser('EFI device path', () => [FILE], parseDevicePath),
  parser('EFI load option', () => [loadOption('debian', FILE)], parseLoadOption),
  parser('UEFI image load', () => [imageLoad(FILE)], parseImageLoad),
  parser('GPT event', () => [partitionTable('EFI System')], parsePartitionTable),
  parser('IMA list', imaLists, (bytes) => [...imaEntries(bytes)]),
  parser('IMA list, judged', imaLists, (list) => judgeIma({ list, quoted: QUOTED }), 5),
];

function judged(bytes: Buffer): void {
  const read = readLog(bytes);
  logDocument(read);
  eventDocuments(read);
  for (const event of read.log.events) describeEvent(event);
}

function signatureLists(): Buffer[] {
  return [signatureList(SHA256_LIST, [Buffer.alloc(32, 1), Buffer.alloc(32, 2)])];
}
