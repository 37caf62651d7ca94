// `tidelock evidence eventlog` and `evidence ccel` as a person runs them, on logs of the tests' own.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { callIn } from '#agent/cli/calling.fixture.ts';
import { writeEventLog } from '#attest/eventlog/write.ts';
import { flipped } from '#attest/testdata/hostile.ts';
import { secureBoot, separator, UEFI_BOOT } from '#attest/testdata/uefi.ts';

const log = writeEventLog(UEFI_BOOT, ['sha256']);
const guest = writeEventLog(
  [secureBoot(1), separator(7)].map((event) => ({ ...event, pcr: 1 })),
  ['sha384'],
);

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tl-eventlog-'));
  const { data } = secureBoot(1);
  await writeFile(join(dir, 'log'), log);
  await writeFile(join(dir, 'edited'), flipped(log, log.indexOf(data) + data.length - 1));
  await writeFile(join(dir, 'cut'), log.subarray(0, 1000));
  await writeFile(join(dir, 'long'), Buffer.alloc((2 << 20) + 1));
  await writeFile(join(dir, 'guest'), guest);
});
afterAll(() => rm(dir, { recursive: true }));

const evidence = (...argv: string[]) => callIn(dir, ['evidence', ...argv]);

it('evidence eventlog prints what the log accounts for and ends with 0', async () => {
  const { exit, out } = await evidence('eventlog', 'log', '-o', 'json');
  expect(exit).toBe(0);
  const document = JSON.parse(out) as Record<string, unknown>;
  expect(document).toMatchObject({
    kind: 'EventLog',
    format: 'crypto-agile',
    algorithms: ['sha256'],
    events: UEFI_BOOT.length + 1,
    trailingBytes: 0,
    startupLocality: null,
    secureBoot: true,
    findings: [],
  });
  expect(document).toHaveProperty('pcrs.sha256.7', expect.stringMatching(/^[0-9a-f]{64}$/));
});

it('evidence eventlog --events lists them in place of their number', async () => {
  const { out } = await evidence('eventlog', 'log', '--events', '-o', 'json');
  const { events } = JSON.parse(out) as { events: { dataCovered: boolean; pcr: number }[] };
  expect(events).toHaveLength(UEFI_BOOT.length + 1);
  expect(events[2]).toMatchObject({ index: 2, pcr: 7, dataCovered: true });
  const text = await evidence('eventlog', 'log', '--events');
  expect(text.out).toContain('boot loader \\EFI\\debian\\shimx64.efi');
  const [heads = '', first = ''] = text.out.split('\nevents\n')[1]?.split('\n') ?? [];
  expect(heads.trim().split(/ {2,}/)).toEqual(['no.', 'PCR', 'covered', 'type', 'what it says']);
  for (const [head, value] of [
    ['covered', 'none'],
    ['type', 'EV_'],
    ['what', 'log header'],
  ] as const) {
    expect(first.indexOf(value)).toBe(heads.indexOf(head));
  }
});

it('evidence eventlog ends with 3 for an edited log and says where', async () => {
  const { exit, out } = await evidence('eventlog', 'edited');
  expect(exit).toBe(3);
  expect(out).toContain('Secure Boot  not known');
  expect(out).toMatch(/error +DATA_NOT_COVERED +event 2/);
});

it('evidence eventlog ends with 4 for what is cut or too long, 2 for what is not there', async () => {
  const cut = await evidence('eventlog', 'cut');
  expect(cut).toMatchObject({ exit: 4, out: '' });
  expect(cut.err).toContain('EVIDENCE_MALFORMED');
  expect((await evidence('eventlog', 'long')).exit).toBe(4);
  expect((await evidence('eventlog', 'missing')).exit).toBe(2);
});

it('evidence ccel prints the same with RTMRs, and ends with 3 for the log of a TPM', async () => {
  const { exit, out } = await evidence('ccel', 'guest', '-o', 'json');
  expect(exit).toBe(0);
  expect(JSON.parse(out)).toMatchObject({
    kind: 'ConfidentialEventLog',
    secureBoot: true,
    rtmrs: { rtmr0: expect.stringMatching(/^[0-9a-f]{96}$/), rtmr3: '00'.repeat(48) },
  });
  expect((await evidence('ccel', 'log')).exit).toBe(3);
  expect((await evidence('ccel', 'guest', '--table', 'log')).exit).toBe(4);
});
