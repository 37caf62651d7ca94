// An event log as text: what the verbs `evidence eventlog` and `evidence ccel` print without `-o json`.
import type { EventDocument, LogDocument } from '#attest/eventlog/document.ts';

/** EV_EFI_BOOT_SERVICES_APPLICATION has it. */
const TYPE_WIDTH = 32;

/** Summary, registers, boot and findings; `registers` are the lines that say what the log accounts for. */
export function logText(document: LogDocument, registers: readonly string[]): string {
  const { format, algorithms, events, secureBoot, boot, findings } = document;
  const state = secureBoot === null ? 'not known' : secureBoot ? 'on' : 'off';
  const applications = boot.efiApplications.map(
    ({ path, measured }) => `  ${path ?? '(loaded from memory)'}${measured ? '' : ' (not proven)'}`,
  );
  return [
    `format       ${format}, ${algorithms.join(', ')}`,
    `events       ${events}`,
    `Secure Boot  ${state}`,
    ...section('registers', registers),
    ...section('boot loaders', applications),
    ...section('kernel command line', [boot.kernelCommandLine ?? ''].filter(Boolean).map(indent)),
    ...section(
      'findings',
      findings.map(({ code, severity, event, text }) => {
        const where = event === null ? '' : `event ${event}: `;
        return `  ${severity.padEnd(7)}  ${code}  ${where}${text}`;
      }),
    ),
  ].join('\n');
}

/** One line an event under the heads of its columns; `register` is what the log calls its registers. */
export const eventsText = (events: readonly EventDocument[], register: string): string =>
  section('events', [
    eventLine(['no.', register, 'covered', 'type', 'what it says']),
    ...events.map(({ index, pcr, type, text, covered }) =>
      eventLine([String(index), String(pcr), covered, type, text]),
    ),
  ]).join('\n');

type EventLine = readonly [
  index: string,
  register: string,
  covered: string,
  type: string,
  text: string,
];

const eventLine = ([index, register, covered, type, text]: EventLine): string =>
  `  ${index.padStart(4)}  ${register.padStart(5)}  ${covered.padEnd(9)}  ${type.padEnd(TYPE_WIDTH)}  ${text}`;

const indent = (line: string): string => `  ${line}`;

const section = (title: string, lines: readonly string[]): string[] =>
  lines.length > 0 ? ['', title, ...lines] : [];
