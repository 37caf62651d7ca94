// `tidelock evidence eventlog`: reads and replays a TCG firmware event log, offline. It says what the
// log accounts for; whether the machine booted so, `tidelock evidence quote` says.
import { EXIT } from '#agent/base/codes.ts';
import { printResult } from '#agent/cli/output.ts';
import { defineVerb } from '#agent/cli/verb.ts';
import { eventDocuments, logDocument, readLog } from '#attest/eventlog/document.ts';
import { isGood } from '#attest/finding.ts';
import { parseInput } from './input.ts';
import { eventsText, logText } from './logText.ts';

/** Linux gives out at most 1 MiB; real logs have 10 to 100 KiB. */
const MAX_LOG_BYTES = 2 << 20;

/** `tidelock evidence eventlog`. */
export const evidenceEventlog = defineVerb({
  name: 'evidence eventlog',
  operands: { form: '<file>', min: 1, max: 1 },
  flags: { events: { type: 'boolean', help: 'list every event' } },
  about:
    'Reads a firmware event log, crypto-agile or legacy, replays every bank and says what it measured: Secure Boot, boot loaders, kernel command line. Data that its digest does not cover is never used. Ends with 0, with 3 when the log was edited, with 4 when it is no event log. A file named - is standard input.',
  example:
    'tidelock evidence eventlog /sys/kernel/security/tpm0/binary_bios_measurements\ntidelock evidence eventlog node-a.log --events -o json',
  run: async (invocation) => {
    const { flags, operands, terminal } = invocation;
    const path = operands[0] ?? '';
    const from = { ...terminal, path, what: 'event log' };
    const read = await parseInput(from, MAX_LOG_BYTES, (bytes) => readLog(bytes));
    const document = logDocument(read);
    const events = flags.events ? eventDocuments(read) : [];
    const registers = Object.entries(document.pcrs).flatMap(([bank, pcrs]) =>
      Object.entries(pcrs).map(
        ([pcr, value]) => `  ${bank.padEnd(6)}  ${pcr.padStart(2)}  ${value}`,
      ),
    );
    printResult(
      invocation,
      'EventLog',
      flags.events ? { ...document, events } : document,
      [logText(document, registers), ...(flags.events ? [eventsText(events, 'PCR')] : [])].join(
        '\n',
      ),
    );
    return isGood(document.findings) ? EXIT.ok : EXIT.notVerified;
  },
});
