// `tidelock evidence ima`: replays an IMA list, offline. It reads files and prints; attest/ima/ judges.
import { systemClock } from '#agent/base/clock.ts';
import { EXIT } from '#agent/base/codes.ts';
import { hex } from '#agent/base/bytes.ts';
import { usage } from '#agent/cli/arguments.ts';
import { printResult } from '#agent/cli/output.ts';
import { defineVerb, type Flags, type Invocation } from '#agent/cli/verb.ts';
import { isGood } from '#attest/finding.ts';
import { parseEventLog } from '#attest/eventlog/parse.ts';
import { entriesText } from '#attest/ima/entry.ts';
import { judgeIma, type ImaAnswer, type ImaBoot } from '#attest/ima/judge.ts';
import { MAX_IMA_LIST_BYTES } from '#attest/ima/list.ts';
import { hashByName } from '#attest/tpm/algorithms.ts';
import { BANK_FLAG, bankFlag } from './bankFlag.ts';
import { hexFlag } from './hexFlag.ts';
import { parseInput } from './input.ts';

const VERB = 'evidence ima';
const MAX_LOG_BYTES = 2 << 20;
const PROGRESS_MS = 1000;

/** `tidelock evidence ima`. */
export const evidenceIma = defineVerb({
  name: VERB,
  operands: { form: '<list>', min: 1, max: 1 },
  flags: {
    pcr10: { type: 'string', value: 'HEX', help: 'find the part of the list that leads to it' },
    bank: { ...BANK_FLAG, help: 'bank of --pcr10; sha256 by default' },
    eventlog: { type: 'string', value: 'FILE', help: 'firmware event log of the same boot' },
  },
  about:
    'Replays an IMA measurement list, ascii or binary, of any template: recomputes every template hash, replays PCR 10 in every bank, counts violations and altered entries, and reads boot_aggregate. With --pcr10 it finds the part of the list that leads to a value, and how the kernel extended that bank. Ends with 3 when an entry was altered or the value is not reached. A file named - is standard input.',
  example:
    'tidelock evidence ima /sys/kernel/security/ima/ascii_runtime_measurements\ntidelock evidence ima ima.bin --pcr10 c4a065637fc6a7c55f2811dd06cb45dd037133be2b3dc5c3e6fbe6bf061db724 --bank sha256 -o json',
  run: async (invocation) => {
    const { flags, operands, terminal } = invocation;
    if (flags.bank !== undefined && flags.pcr10 === undefined) {
      throw usage(VERB, '--bank is the bank of --pcr10, which is missing');
    }
    const bank = bankFlag(VERB, flags.bank);
    const quoted =
      flags.pcr10 === undefined
        ? undefined
        : { bank, value: hex(hexFlag(VERB, 'pcr10', flags.pcr10, hashByName(bank).sizeBytes)) };
    const path = operands[0] ?? '';
    const eventLog =
      flags.eventlog === undefined
        ? undefined
        : await parseInput(
            { ...terminal, path: flags.eventlog, what: 'event log' },
            MAX_LOG_BYTES,
            parseEventLog,
          );
    const from = { ...terminal, path, what: 'IMA list' };
    const answer = await parseInput(from, MAX_IMA_LIST_BYTES, (list) => {
      return judgeIma({ list, quoted, eventLog, onProgress: progress(invocation, list.length) });
    });
    printResult(invocation, 'ImaEvidence', answer, answerText(answer));
    return isGood(answer.findings) ? EXIT.ok : EXIT.notVerified;
  },
});

/** A line a second while a list is replayed, where text is asked for. */
function progress(
  { output, terminal }: Pick<Invocation<Flags>, 'output' | 'terminal'>,
  listBytes: number,
): ((doneBytes: number) => void) | undefined {
  if (output === 'json') return undefined;
  let last = systemClock.monoMs();
  return (doneBytes) => {
    const now = systemClock.monoMs();
    if (now - last < PROGRESS_MS) return;
    last = now;
    terminal.err(`replayed ${mib(doneBytes)} of ${mib(listBytes)} MiB\n`);
  };
}

const bootText = ({ tied, registers }: ImaBoot): string =>
  tied
    ? `that of the event log: boot_aggregate is over its PCR ${registers}`
    : 'not tied to the event log';

const mib = (bytes: number): string => (bytes / (1 << 20)).toFixed(1);

function answerText(answer: ImaAnswer): string {
  const { form, entries, templates, bootAggregate, matched, boot } = answer;
  const counts = Object.entries(templates).map(([name, count]) => `${count} ${name}`);
  const registers = Object.entries(answer.pcrs).flatMap(([bank, values]) =>
    Object.entries(values).map(([pcr, value]) => `PCR ${pcr}  ${bank.padEnd(6)}  ${value}`),
  );
  const aggregate =
    bootAggregate === null ? 'none' : `${bootAggregate.algorithm} ${bootAggregate.value}`;
  return [
    `entries         ${entries}, ${form}: ${counts.join(', ')}`,
    `violations      ${answer.violations}`,
    `altered         ${answer.mismatches}`,
    `boot aggregate  ${aggregate}`,
    ...(boot ? [`boot            ${bootText(boot)}`] : []),
    ...(matched ? [`matched         ${entriesText(matched.entries)}, ${matched.extendedBy}`] : []),
    ...registers,
    ...answer.findings.map(({ severity, code, text }) => `${severity.padEnd(7)}  ${code}  ${text}`),
  ].join('\n');
}
