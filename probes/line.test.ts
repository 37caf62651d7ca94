// Lines as bpftrace 0.17 printed them on Linux 6.18, with the pods' addresses of a rig.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readLine, type Line } from './line.ts';

const RECORDED = {
  exec: '{"type": "value", "data": ["exec",4026532673,20338,20337,0,"readlink","/usr/bin/readlink"]}',
  connect:
    '{"type": "value", "data": ["connect",4026532673,150088831371712,4026532673,20616,"socat","fd99::1",78]}',
  connect4:
    '{"type": "value", "data": ["connect",4026532604,150089364776192,4026532604,20617,"socat","::ffff:10.99.0.2",79]}',
  accept:
    '{"type": "value", "data": ["accept",4026532604,150089364771392,"::ffff:198.19.1.13",15001,"::ffff:198.19.1.13",43910]}',
  close:
    '{"type": "value", "data": ["close",4026532604,150089364776192,2,"::ffff:10.99.0.1",50530,"::ffff:10.99.0.2",79]}',
  bypass:
    '{"type": "value", "data": ["bypass",4026532673,2,0,150088831371712,1,20616,"socat","fd99::2",41764,"fd99::1",78]}',
} as const;

const sighting = (line: Line): unknown =>
  line.kind === 'sighting' ? line.sighting : `not a sighting: ${line.kind}`;

describe('readLine()', () => {
  test('reads an exec', () => {
    expect(sighting(readLine(RECORDED.exec))).toEqual({
      kind: 'exec',
      netns: 4026532673,
      pid: 20338,
      ppid: 20337,
      uid: 0,
      comm: 'readlink',
      path: '/usr/bin/readlink',
    });
  });

  test('reads a connect, with IPv4 out of its IPv6 form', () => {
    expect(sighting(readLine(RECORDED.connect))).toEqual({
      kind: 'connect',
      netns: 4026532673,
      socket: 150088831371712,
      byNetns: 4026532673,
      process: { pid: 20616, comm: 'socat' },
      destination: { address: 'fd99::1', port: 78 },
    });
    expect(sighting(readLine(RECORDED.connect4))).toMatchObject({
      destination: { address: '10.99.0.2', port: 79 },
    });
  });

  test('reads an accept', () => {
    expect(sighting(readLine(RECORDED.accept))).toEqual({
      kind: 'accept',
      netns: 4026532604,
      socket: 150089364771392,
      local: { address: '198.19.1.13', port: 15001 },
      remote: { address: '198.19.1.13', port: 43910 },
    });
  });

  test('reads a close, and that nobody had answered', () => {
    const read = {
      kind: 'close',
      netns: 4026532604,
      socket: 150089364776192,
      established: false,
      local: { address: '10.99.0.1', port: 50530 },
      remote: { address: '10.99.0.2', port: 79 },
    };
    expect(sighting(readLine(RECORDED.close))).toEqual(read);
    const fromFinWait = RECORDED.close.replace('192,2,', '192,5,');
    expect(sighting(readLine(fromFinWait))).toEqual({ ...read, established: true });
  });

  test('reads a bypass, from the flags whether it answers, and who made it', () => {
    const read = {
      kind: 'bypass',
      netns: 4026532673,
      answers: false,
      raw: false,
      socket: 150088831371712,
      own: true,
      process: { pid: 20616, comm: 'socat' },
      local: { address: 'fd99::2', port: 41764 },
      remote: { address: 'fd99::1', port: 78 },
    };
    expect(sighting(readLine(RECORDED.bypass))).toEqual(read);
    const synAck = RECORDED.bypass.replace('673,2,', '673,18,');
    expect(sighting(readLine(synAck))).toEqual({ ...read, answers: true });
    const raw = RECORDED.bypass.replace('673,2,0,', '673,0,1,');
    expect(sighting(readLine(raw))).toEqual({ ...read, raw: true });
  });

  test('reads heartbeats, losses and the budget', () => {
    expect(readLine('{"type": "value", "data": ["hb",0]}')).toEqual({ kind: 'heartbeat' });
    expect(readLine('{"type": "lost_events", "data": {"events": 1281}}')).toEqual({
      kind: 'lost',
      count: 1281,
    });
    const over =
      '{"type": "map", "data": {"@over": {"5": 5, "1": 35, "3": 208, "2": 208, "4": 541}}}';
    expect(readLine(over)).toEqual({ kind: 'limited', total: 997 });
    const untold = '{"type": "map", "data": {"@untold": {"4026532673": 480, "4026532604": 7}}}';
    expect(readLine(untold)).toEqual({
      kind: 'untold',
      byNetns: new Map([
        [4026532673, 480],
        [4026532604, 7],
      ]),
    });
    expect(readLine(untold.replace('480', '-1')).kind).toBe('unreadable');
  });

  test('reads which namespace is watched, and on how many devices', () => {
    const pod = '{"type": "value", "data": ["pod",4026532673,1]}';
    expect(readLine(pod)).toEqual({ kind: 'watched', netns: 4026532673, devices: 1 });
    expect(readLine(pod.replace('4026532673', '"x"')).kind).toBe('unreadable');
  });

  test('passes over what bpftrace says when it starts and ends', () => {
    for (const line of [
      '{"type": "attached_probes", "data": {"probes": 7}}',
      '{"type": "helper_error", "msg": "Can\'t delete map element because it does not exist.", "helper": "map_delete_elem", "retcode": -2, "line": 201, "col": 66}',
      '{"type": "map", "data": {"@n": {"1,4026531833": 36}}}',
      '',
    ]) {
      expect(readLine(line)).toEqual({ kind: 'other' });
    }
    const full = '{"type": "helper_error", "msg": "x", "helper": "map_update_elem", "retcode": -7}';
    expect(readLine(full)).toEqual({ kind: 'unreadable' });
  });

  test('gives names of any bytes back, and an escaped backslash as what it is', () => {
    const line = String.raw`{"type": "value", "data": ["exec",4026531833,20620,20583,0,"caf\uffffffc3\uffffffa9 \"q\\ufffff","./caf\uffffffc3\uffffffa9 \"q\\uffffff41\\ \uffffffff"]}`;
    expect(sighting(readLine(line))).toMatchObject({
      comm: String.raw`café "q\ufffff`,
      path: String.raw`./café "q\uffffff41\ ` + '\ufffd',
    });
  });

  test('gives back every name that the kernel can hold', () => {
    const name = fc.string({ unit: 'binary', maxLength: 40 });
    fc.assert(
      fc.property(name, (text) => {
        expect(sighting(readLine(asPrinted(text)))).toMatchObject({ path: text });
      }),
    );
  });

  test('answers any text and never throws', () => {
    const kinds = [
      'sighting',
      'heartbeat',
      'lost',
      'limited',
      'untold',
      'watched',
      'other',
      'unreadable',
    ];
    const json = fc.json();
    const enveloped = fc
      .tuple(fc.constantFrom('value', 'map', 'lost_events', 'attached_probes', 'x'), fc.jsonValue())
      .map(([type, data]) => JSON.stringify({ type, data }));
    fc.assert(
      fc.property(fc.oneof(fc.string(), json, enveloped), (text) => {
        expect(kinds).toContain(readLine(text).kind);
      }),
    );
  });

  test.each(Object.entries(RECORDED))('refuses a %s with any cell of another kind', (_, line) => {
    const { data } = JSON.parse(line) as { data: unknown[] };
    for (const index of data.keys()) {
      for (const bad of [null, -1, 1.5, 2 ** 60, {}, 'x'.repeat(300), '300.1.1.1']) {
        const isName = typeof data[index] === 'string' && bad === '300.1.1.1';
        if (isName && !/[:.]/.test(String(data[index]).replaceAll('/', ''))) continue;
        const changed = data.map((cell, at) => (at === index ? bad : cell));
        expect(readLine(JSON.stringify({ type: 'value', data: changed }))).toEqual({
          kind: 'unreadable',
        });
      }
    }
    for (const changed of [data.slice(0, -1), [...data, 0], []]) {
      expect(readLine(JSON.stringify({ type: 'value', data: changed })).kind).toBe('unreadable');
    }
  });
});

/** An exec line with `path` as bpftrace prints its bytes. */
function asPrinted(path: string): string {
  const escaped = [...Buffer.from(path, 'utf8')].map((byte) => {
    if (byte >= 0x80) return String.raw`\uffffff${byte.toString(16)}`;
    return JSON.stringify(String.fromCharCode(byte)).slice(1, -1);
  });
  return `{"type": "value", "data": ["exec",1,1,1,0,"x","${escaped.join('')}"]}`;
}
