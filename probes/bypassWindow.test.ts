import { expect, test } from 'vitest';
import { BypassWindow } from './bypassWindow.ts';
import type { BypassEvent } from './events.ts';
import { StepClock } from './tracer.fixture.ts';

const bypass = (change: Partial<BypassEvent> = {}): BypassEvent => ({
  kind: 'bypass',
  at: 0,
  where: { kind: 'pod', uid: 'u', namespace: 'n', name: 'p' },
  direction: 'out',
  raw: false,
  local: { address: '10.0.0.2', port: 4000 },
  remote: { address: '10.0.0.1', port: 443 },
  count: 1,
  ...change,
});

function opened(): { window: BypassWindow; told: BypassEvent[]; clock: StepClock } {
  const told: BypassEvent[] = [];
  const clock = new StepClock();
  return { window: new BypassWindow(clock, (event) => told.push(event)), told, clock };
}

test('BypassWindow tells the first at once and the others of a second as one', async () => {
  const { window, told, clock } = opened();
  for (let i = 0; i < 5; i += 1) window.add(bypass({ at: i }));
  expect(told).toMatchObject([{ at: 0, count: 1 }]);
  await clock.step(999);
  window.flush();
  expect(told).toHaveLength(1);
  await clock.step(1);
  window.flush();
  expect(told).toMatchObject([{ count: 1 }, { at: 4, count: 4 }]);
});

test('BypassWindow tells one event a second of what goes on, and counts every packet', async () => {
  const { window, told, clock } = opened();
  for (let tick = 0; tick < 100; tick += 1) {
    for (let i = 0; i < 10; i += 1) window.add(bypass());
    await clock.step(100);
    if (tick % 5 === 4) window.flush();
  }
  await clock.step(1_000);
  window.flush();
  expect(told.length).toBeLessThanOrEqual(12);
  expect(told.reduce((sum, { count }) => sum + count, 0)).toBe(1_000);
});

test('BypassWindow tells a quiet one at once again', async () => {
  const { window, told, clock } = opened();
  window.add(bypass());
  await clock.step(1_000);
  window.flush();
  window.add(bypass());
  expect(told).toHaveLength(2);
});

test('BypassWindow keeps pods, directions and remote ends apart, but not local ports', () => {
  const { window, told } = opened();
  const like = [
    bypass(),
    bypass({ where: { kind: 'pod', uid: 'u2', namespace: 'n', name: 'p2' } }),
    bypass({ direction: 'in' }),
    bypass({ remote: { address: '10.0.0.1', port: 444 } }),
    bypass({ remote: { address: '10.0.0.3', port: 443 } }),
  ];
  for (const each of like) window.add(each);
  window.add(bypass({ local: { address: '10.0.0.2', port: 4001 } }));
  expect(told).toEqual(like);
});

test('BypassWindow remembers no more than 1024 at once and loses none', async () => {
  const { window, told, clock } = opened();
  const to = (port: number): BypassEvent => bypass({ remote: { address: '10.0.0.1', port } });
  for (let round = 0; round < 2; round += 1) {
    for (let port = 0; port < 2_000; port += 1) window.add(to(port));
  }
  expect(told).toHaveLength(2_000 + 976);
  await clock.step(1_000);
  window.flush();
  expect(told.reduce((sum, { count }) => sum + count, 0)).toBe(4_000);
});
