// `tidelock evidence ccel`: reads and replays the event log of a TDX guest, offline. It says which RTMR
// values the log accounts for; whether a guest has them, `tidelock evidence tdx` says.
import { EXIT } from '#agent/base/codes.ts';
import { printResult } from '#agent/cli/output.ts';
import { defineVerb } from '#agent/cli/verb.ts';
import { ccelDocument } from '#attest/eventlog/ccelDocument.ts';
import { eventDocuments, readLog } from '#attest/eventlog/document.ts';
import { RTMRS } from '#attest/eventlog/registers.ts';
import { isGood } from '#attest/finding.ts';
import { parseInput, readInput } from './input.ts';
import { eventsText, logText } from './logText.ts';

/** Firmware sets aside 64 KiB to 1 MiB. */
const MAX_LOG_BYTES = 2 << 20;
const MAX_TABLE_BYTES = 4096;

/** `tidelock evidence ccel`. */
export const evidenceCcel = defineVerb({
  name: 'evidence ccel',
  operands: { form: '<file>', min: 1, max: 1 },
  flags: {
    events: { type: 'boolean', help: 'list every event' },
    table: { type: 'string', value: 'FILE', help: 'the ACPI table CCEL that belongs to the log' },
  },
  about:
    'Reads the event log of a TDX guest, replays its RTMRs and says what they measured. Data that its digest does not cover is never used. Ends with 0, with 3 when the log was edited or is not of a TDX guest, with 4 when it is no event log. A file named - is standard input.',
  example:
    'tidelock evidence ccel /sys/firmware/acpi/tables/data/CCEL --table /sys/firmware/acpi/tables/CCEL\ntidelock evidence ccel guest.ccel --events -o json',
  run: async (invocation) => {
    const { flags, operands, terminal } = invocation;
    const path = operands[0] ?? '';
    const from = { ...terminal, path, what: 'event log' };
    const [read, lenBytes] = await parseInput(from, MAX_LOG_BYTES, (bytes) => {
      return [readLog(bytes, RTMRS), bytes.length] as const;
    });
    const table =
      flags.table === undefined
        ? undefined
        : await readInput({ ...terminal, path: flags.table, what: 'CCEL table' }, MAX_TABLE_BYTES);
    const document = ccelDocument(read, lenBytes, table);
    const events = flags.events ? eventDocuments(read) : [];
    const registers = Object.entries(document.rtmrs).map(([name, value]) => `  ${name}  ${value}`);
    printResult(
      invocation,
      'ConfidentialEventLog',
      flags.events ? { ...document, events } : document,
      [logText(document, registers), ...(flags.events ? [eventsText(events, 'index')] : [])].join(
        '\n',
      ),
    );
    return isGood(document.findings) ? EXIT.ok : EXIT.notVerified;
  },
});
