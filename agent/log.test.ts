// Tests of the log: what is written, what is kept, what can never be printed.
import { describe, expect, it } from 'vitest';
import type { Clock } from '#agent/base/clock.ts';
import { TidelockError } from '#agent/base/errors.ts';
import { createLog, EventRing, type Level, type Log } from './log.ts';

const clock: Clock = { wallMs: () => 1_700_000_000_000, monoMs: () => 0, after: () => () => {} };

function logging(level: Level = 'debug') {
  const lines: string[] = [];
  const ring = new EventRing(3);
  const log: Log = createLog({ level, clock, write: (line) => void lines.push(line), ring });
  return { lines, ring, log };
}

describe('createLog()', () => {
  it('createLog() writes one JSON object a line', () => {
    const { lines, log } = logging();
    log.info('lane.open', { text: 'two\nlines', peer: 'node-b', port: 80, tags: ['a', 'b'] });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^[^\n]*\n$/);
    expect(JSON.parse(lines[0] ?? '')).toEqual({
      at: '2023-11-14T22:13:20.000Z',
      level: 'info',
      event: 'lane.open',
      text: 'two\nlines',
      peer: 'node-b',
      port: 80,
      tags: ['a', 'b'],
    });
  });

  it('createLog() drops what is below its level, from the ring too', () => {
    const { lines, ring, log } = logging('warn');
    log.debug('a');
    log.info('b');
    log.warn('c');
    log.error('d');
    expect(lines).toHaveLength(2);
    expect(ring.events().map((event) => event.code)).toEqual(['c', 'd']);
  });

  it('createLog() writes an error with code and hint and shows it by its code', () => {
    const { lines, ring, log } = logging();
    const init = { op: 'config.load', message: 'Cannot x: y', hint: 'do z' };
    log.error('agent.failed', { error: new TidelockError('CONFIG_INVALID', init) });
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      error: { code: 'CONFIG_INVALID', ...init },
    });
    expect(ring.events()).toMatchObject([{ code: 'CONFIG_INVALID', text: 'Cannot x: y' }]);
  });

  it('createLog() never prints bytes, wherever they are hidden', () => {
    const { lines, ring, log } = logging();
    const secret = Buffer.from('hunter2hunter2');
    const lost = JSON.parse('{}') as Record<string, never>;
    Object.assign(lost, { key: secret, inside: { list: [secret] } });
    log.info('leak', lost);
    const printed = lines.join('') + JSON.stringify(ring.events());
    expect(printed).toContain('[14 bytes]');
    for (const form of [secret.toString(), secret.toString('hex'), secret.toString('base64')]) {
      expect(printed).not.toContain(form);
    }
    expect(printed).not.toContain('104,117,110');
  });

  it('createLog() writes a value that contains itself to a depth', () => {
    const { lines, log } = logging();
    const loop: Record<string, never> = {};
    Object.assign(loop, { loop });
    log.info('x', loop);
    expect(lines[0]).toContain('[deeper]');
  });

  it('createLog() bounds what an outsider could make long', () => {
    const { lines, log } = logging();
    log.warn('x', { text: 'a'.repeat(100_000), many: Array.from({ length: 10_000 }, () => 'b') });
    expect(lines[0]?.length).toBeLessThan(6_000);
  });
});

describe('EventRing', () => {
  it('EventRing keeps no account of a connection: they would crowd out all else', () => {
    const { lines, ring, log } = logging();
    log.info('node.verdict');
    for (let n = 0; n < 10; n += 1) log.info('lane.closed', { reason: 'clean' });
    expect(lines).toHaveLength(11);
    expect(ring.events().map((event) => event.code)).toEqual(['node.verdict']);
  });

  it('EventRing keeps the newest events, oldest first', () => {
    const { ring, log } = logging();
    for (const name of ['a', 'b', 'c', 'd', 'e']) log.info(name);
    expect(ring.events().map((event) => event.code)).toEqual(['c', 'd', 'e']);
  });
});
