import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { serveControl } from '#agent/api/control.ts';
import { runCommandLine } from './commandLine.ts';
import { EPOCHS } from './epochs.fixture.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tidelock-epochs-'));
});
afterEach(() => rm(dir, { recursive: true }));

const serveSlot = (slot: number) =>
  serveControl(join(dir, 'control.sock'), {
    'GET /epochs': () => ({ apiVersion: 'tidelock/v1', kind: 'Epochs', ...EPOCHS, slot }),
  });

it('epochs --watch goes on until it is stopped, also while the agent is away', async () => {
  const stop = new AbortController();
  const lines: string[] = [];
  const saw = async (count: number): Promise<void> => {
    await vi.waitFor(() => expect(lines.length).toBeGreaterThanOrEqual(count), 10_000);
  };
  const serveSlot = (slot: number) =>
    serveControl(join(dir, 'control.sock'), {
      'GET /epochs': () => ({
        apiVersion: 'tidelock/v1',
        kind: 'Epochs',
        ...EPOCHS,
        slot,
      }),
    });
  const control = await serveSlot(7);
  const running = runCommandLine(['epochs', '--watch', '--socket', 'control.sock', '-o', 'json'], {
    out: (text) => void lines.push(text),
    err: () => undefined,
    env: {},
    cwd: dir,
    stopSignal: () => stop.signal,
  });
  await saw(1);
  await control[Symbol.asyncDispose]();
  await saw(2);
  await using _again = await serveSlot(9);
  await saw(3);
  stop.abort();
  expect(await running).toBe(0);
  expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
    { kind: 'Epochs', slot: 7 },
    { error: { code: 'AGENT_UNREACHABLE' } },
    { kind: 'Epochs', slot: 9 },
  ]);
});

it('epochs --watch clears a screen, and only that', async () => {
  await using _control = await serveSlot(7);
  for (const isScreen of [true, false]) {
    const stop = new AbortController();
    let out = '';
    const running = runCommandLine(['epochs', '--watch', '--socket', 'control.sock'], {
      out: (text) => {
        out += text;
        if (text.includes('records come')) stop.abort();
      },
      err: () => undefined,
      isScreen,
      env: {},
      cwd: dir,
      stopSignal: () => stop.signal,
    });
    expect(await running).toBe(0);
    expect(out.startsWith('\u001b[H\u001b[J')).toBe(isScreen);
  }
});
