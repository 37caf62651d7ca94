// What is said across one version, both ways: recordings of the version before (versions/3.json), and what
// the version after may say more than this one knows.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '#agent/base/clock.ts';
import { decodeFrame, encodeFrame, snapshotOf } from './channel.ts';
import { CONTROL_VERSION, understands } from './control.ts';
import { readDataMessage } from './dataMessage.ts';
import { opened, readAll, world } from './lane.fixture.ts';
import { PlaneRecord } from './planeRecord.ts';
import { identify } from './processIdentity.ts';
import type { Snapshot } from './snapshot.ts';

interface Recording {
  readonly controlVersion: number;
  readonly snapshotFrame: string;
  readonly dataMessages: readonly object[];
  readonly planes: { readonly planes: readonly object[] };
}

const before = JSON.parse(
  readFileSync(new URL('./versions/3.json', import.meta.url), 'utf8'),
) as Recording;
const frameBefore = (): Uint8Array => Uint8Array.from(Buffer.from(before.snapshotFrame, 'base64'));

/** The same with more in every object than this version knows. */
function more(value: unknown): unknown {
  if (value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(more);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, part]) => [name, more(part)] as const);
  return Object.fromEntries([...entries, ['ofTheNextVersion', { a: [1] }]]);
}

describe('the version before', () => {
  it('is understood, and this one by it', () => {
    expect(before.controlVersion).toBe(CONTROL_VERSION - 1);
    expect(understands(before.controlVersion)).toBe(true);
  });

  it('a worker takes a snapshot of it, with what was usual for what it does not say', async () => {
    const two = await world();
    const { version } = snapshotOf(frameBefore());
    two.a.worker.handle({ type: 'snapshot', frame: frameBefore() });
    expect(two.a.acks.at(-1)).toBe(version);
    const app = await two.a.connect({ address: '192.0.2.1', port: 80 });
    expect(await readAll(app)).toBe('ECONNRESET');
    expect(two.a.count('refused.no-agent')).toBe(1);
    two.tell(); // and goes on from there
    const destination = await two.serve((socket) => socket.end('carried'));
    expect(String(await readAll(await two.a.connect(destination)))).toBe('carried');
    await opened(two);
  });

  it.each(before.dataMessages)(
    'the control plane reads what its data plane says: $type',
    (message) => {
      expect(readDataMessage(message)).toMatchObject(message);
    },
  );

  it('its record names its data planes', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tidelock-versions-'));
    const self = identify(process.pid);
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    const planes = before.planes.planes.map((plane) => ({ ...plane, ...self }));
    writeFileSync(join(folder, 'planes.json'), JSON.stringify({ boot, planes }));
    const problems: string[] = [];
    const log = (_level: string, event: string): void => void problems.push(event);
    const record = await PlaneRecord.open(folder, { clock: systemClock, log });
    expect(record.planes()).toMatchObject(planes);
    expect(problems).toEqual([]);
    record.close();
    rmSync(folder, { recursive: true });
  });
});

describe('the version after', () => {
  it('a worker takes a snapshot of it, and carries by what it knows', async () => {
    const two = await world();
    for (const [own, other] of [
      [two.a, two.b],
      [two.b, two.a],
    ] as const) {
      const snapshot = more(two.snapshot(own, other)) as Snapshot;
      const frame = encodeFrame({ type: 'snapshot', snapshot: { ...snapshot, version: 99 } });
      own.worker.handle({ type: 'snapshot', frame });
    }
    expect([two.a.acks.at(-1), two.b.acks.at(-1)]).toEqual([99, 99]);
    const destination = await two.serve((socket) => socket.end('carried'));
    expect(String(await readAll(await two.a.connect(destination)))).toBe('carried');
  });

  it('the control plane reads what its data plane says, and leaves aside what it does not know', () => {
    const known = before.dataMessages.map((message) => readDataMessage(message));
    expect(before.dataMessages.map((message) => readDataMessage(more(message)))).toEqual(known);
    expect(readDataMessage({ type: 'ofTheNextVersion', count: 1 })).toBeUndefined();
    const event = { at: 1, kind: 'refused', direction: 'in', reason: 'next-reason' };
    expect(readDataMessage({ type: 'event', dropped: 0, event })).toBeUndefined();
    const another = { ...event, kind: 'next-kind', reason: 'policy' };
    expect(readDataMessage({ type: 'event', dropped: 0, event: another })).toBeUndefined();
  });

  it('a frame of it is decoded like any other', () => {
    const message = { type: 'ofTheNextVersion', bytes: Buffer.of(1, 2, 3) };
    expect(decodeFrame(encodeFrame(message))).toEqual(message);
  });
});
