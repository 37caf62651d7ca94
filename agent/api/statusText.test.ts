// Tests of the text form of the status.
import { describe, expect, it } from 'vitest';
import { statusSchema, type Status } from './status.ts';
import { statusText } from './statusText.ts';
import { LANE_SETTINGS, OUTSIDE, RULE_COUNTS } from './status.fixture.ts';
import { bytes, duration } from './units.ts';

const SID = 'aa'.repeat(16);

const status: Status = {
  agent: { version: '0.1.0', pid: 7, startedAt: '2026-01-01T00:00:00.000Z', uptimeMs: 65_000 },
  node: {
    name: 'node-a',
    domain: 'example.org',
    cluster: 'demo',
    sid: SID,
    verdict: 'contraindicated',
    level: 'tpm',
    reason: 'PCR 4 is not the enrolled one',
    checks: [
      { name: 'quote', result: 'pass', text: 'good' },
      { name: 'pcr 4', result: 'fail', text: 'ab12 is not cd34' },
    ],
    pcrs: { '4': 'ab12' },
  },
  readiness: {
    ready: false,
    reasons: ['node: the verdict about it is contraindicated'],
    canary: {
      ageMs: 3000,
      peer: 'node-b',
      tookMs: 4,
      silent: [{ peer: 'node-c', reason: 'peer-silent' }],
    },
  },
  epochs: {
    conductor: 'node-b',
    isConductor: false,
    term: 3,
    generation: 2,
    epoch: 41,
    slot: 123_456,
    periodMs: 5_000,
    chains: [
      {
        id: 'cc'.repeat(16),
        epoch: 41,
        generation: 2,
        algorithm: 'KMAC256',
        atSlot: 9,
        confirmedBy: [],
      },
    ],
    chainsSeen: 12,
    slotsSeen: 15,
    algorithmsSeen: ['KMAC256'],
    busConnected: false,
    lastRecordAgeMs: 61_000,
  },
  peers: [
    {
      node: 'node-b',
      address: '198.18.0.12:15008',
      verdict: 'affirming',
      reason: '',
      sendChain: 'cc'.repeat(16),
      clockOffsetMs: 3,
      expiresInMs: 600_000,
    },
    {
      node: 'node-with-a-long-name',
      address: '198.18.0.13:15008',
      verdict: 'none',
      reason: '',
      refused: 'no evidence yet',
    },
  ],
  lanes: {
    active: 2,
    openedOut: 10,
    openedIn: 8,
    sameNode: 1,
    refused: { policy: 3, stale: 0 },
    bytesOut: 1_572_864,
    bytesIn: 12,
    keyUpdates: 4,
    strangers: 1,
    replayed: 0,
    ...LANE_SETTINGS,
  },
  outside: { ...OUTSIDE, inbound: 'refuse but for 10.0.0.0/24 port 8080' },
  asymmetric: { total: 9, statements: 6, tokens: 3 },
  pods: [
    {
      uid: 'u',
      namespace: 'shop',
      name: 'web-0',
      spiffeId: 'spiffe://example.org/demo/shop/web',
      ips: ['198.19.1.10'],
      captured: true,
      outside: RULE_COUNTS,
    },
    {
      uid: 'v',
      namespace: 'shop',
      name: 'db-0',
      spiffeId: 'spiffe://example.org/demo/shop/db',
      ips: ['198.19.1.11'],
      captured: true,
      sourceProblem: 'it has no default route',
    },
  ],
  services: [
    {
      name: 'shop/db',
      ips: ['10.96.0.10'],
      affinity: 'ClientIP',
      ports: [
        { port: 5432, endpoints: ['198.19.2.10:15432'] },
        { port: 80, endpoints: [] },
      ],
    },
  ],
  dataPlane: {
    pid: 8,
    uid: 15_008,
    workers: 2,
    working: 1,
    spares: 0,
    lanesByWorker: [3, 0],
    state: 'running',
    restarts: 0,
  },
  processes: { data: { residentBytes: 3 << 20, openFds: 60, maxFds: 20_000 } },
  probes: {
    state: 'degraded',
    code: 'PROBES_UNAVAILABLE',
    reason: 'Cannot probe: tracefs is not mounted',
    remedy: 'Mount tracefs.',
    events: { exec: 3, connect: 2, accept: 1, close: 2, bypass: 1 },
    lost: 0,
    limited: 0,
    unreadable: 0,
    restarts: 0,
    gaps: [
      { from: 0, to: 2_000, reason: 'the agent started' },
      { from: 3_000, reason: 'Cannot probe: tracefs is not mounted' },
    ],
    unwatched: ['shop/web'],
    bypasses: [
      {
        pod: 'shop/web',
        packets: 9,
        untold: 4,
        last: [{ at: 0, text: 'shop/web goes past its redirect to 203.0.113.9:80' }],
      },
    ],
  },
  events: [{ at: 1_700_000_000_000, level: 'warn', code: 'X', text: 'one\ntwo \u001b[31mred' }],
  warnings: ['clock is 20 s off', 'Cannot use it: 2 problems\n  a: one\n  b: two\nCorrect it.'],
};

describe('statusText()', () => {
  const lines = statusText(status).split('\n');

  it.each([
    /^Verdict +contraindicated \(tpm\): PCR 4 is not the enrolled one$/,
    /^Ready +NO: node: the verdict about it is contraindicated$/,
    /^Canary +back from node-b in 4 ms, 3 s ago; not from node-c: peer-silent$/,
    /^ {2}pcr 4 +fail +ab12 is not cd34$/,
    /^Conductor +node-b$/,
    /^Bus +DISCONNECTED, ticking on, last record 61 s ago$/,
    /^ {2}cccccccccccc +2 +41 +9 +KMAC256 +-$/,
    /^Unwatched +shop\/web$/,
    /^ {2}00:00:00\S* +00:00:02\S* +the agent started$/,
    /^ {2}00:00:03\S* +now +Cannot probe: tracefs is not mounted$/,
    /^ {2}shop\/web +9 +4 +00:00:00\S* +shop\/web goes past its redirect to 203\.0\.113\.9:80$/,
    /^ {2}node-b +198\.18\.0\.12:15008 +affirming +open, cccccccccccc +\+3 ms +10 min$/,
    /no evidence yet/,
    /^Refused +policy 3$/,
    /^Limits +a pod 16000 lanes, 20000 openings a second; a peer 32000, 20000$/,
    /^Settings +sourceAddress preserve, onStop closed, halfClosedSeconds 3600$/,
    /^Bytes +1\.5 MiB out, 12 B in$/,
    /^ {2}shop\/web-0 .* on$/,
    /^ {2}shop\/db-0 .* on, clients not shown$/,
    /^Plain in +refuse but for 10\.0\.0\.0\/24 port 8080; 2 connections let in, 3 packets refused$/,
    /^Plain out +refuse; 0 connections let out, 0 refused$/,
    /^UDP +leave; 20 packets out, 10 in, 4 refused$/,
    /^ {2}shop\/web-0 +2 +3 +20 +10 +4 +1$/,
    /^ {2}shop\/db +10\.96\.0\.10 +5432 +ClientIP +198\.19\.2\.10:15432$/,
    /^ {2}shop\/db +10\.96\.0\.10 +80 +ClientIP +none is ready$/,
    /^Data plane +running, pid 8, uid 15008, 2 workers and 0 spares, 1 ENDED, 3 \+ 0 connections, 0 restarts$/,
    /^Its use +60 of 20000 descriptors, 3\.0 MiB$/,
    /^Warning +clock is 20 s off$/,
    /^Warning +Cannot use it: 2 problems$/,
    /^ +b: two$/,
    /^ +Correct it\.$/,
  ])('statusText() has a line %s', (pattern) => {
    expect(lines).toContainEqual(expect.stringMatching(pattern));
  });

  it('statusText() aligns the columns of a table', () => {
    const peers = lines.filter((line) => /198\.18\.0\.1[23]/.test(line));
    expect(new Set(peers.map((line) => line.indexOf('198.18'))).size).toBe(1);
  });

  it('statusText() keeps an event on its line and lets it steer no terminal', () => {
    expect(lines).toContainEqual(
      expect.stringMatching(/22:13:20 +warn +X +one \/ two \?\[31mred$/),
    );
    expect(statusText(status)).not.toContain('\u001b');
  });

  it('statusText() shows an agent that has only just started', () => {
    const young = statusSchema.parse({
      ...status,
      node: { ...status.node, sid: undefined, verdict: 'none', reason: '', checks: [], pcrs: {} },
      epochs: { ...status.epochs, conductor: undefined, chains: [], algorithmsSeen: [] },
      readiness: { ready: true, reasons: [], canary: { silent: [] } },
      peers: [],
      pods: [],
      events: [],
      warnings: [],
    });
    expect(statusText(young)).toMatch(/^Conductor +none$/m);
    expect(statusText(young)).toMatch(/^Ready +yes\nCanary +none yet$/m);
    expect(statusText({ ...young, readiness: undefined })).not.toMatch(/^Ready|^Canary/m);
    expect(statusText(young)).not.toMatch(/undefined|^Peers|^Pods|^Events/m);
  });
});

describe('duration()', () => {
  it.each([
    [0, '0 ms'],
    [950, '950 ms'],
    [42_900, '42 s'],
    [12 * 60_000, '12 min'],
    [(3 * 60 + 5) * 60_000, '3 h 5 min'],
    [(52 * 60 + 4) * 60_000, '2 d 4 h'],
    [-1_500, '-2 s'],
  ])('duration(%d) is %s', (ms, shown) => {
    expect(duration(ms)).toBe(shown);
  });
});

describe('bytes()', () => {
  it.each([
    [0, '0 B'],
    [1_023, '1023 B'],
    [1_536, '1.5 KiB'],
    [12 * 2 ** 30, '12 GiB'],
    [2 ** 60, '1048576 TiB'],
  ])('bytes(%d) is %s', (n, shown) => {
    expect(bytes(n)).toBe(shown);
  });
});
