import { expect, test } from 'vitest';
import type { Sighting } from './line.ts';
import { Namer, type NamerOptions, type ProbedPod } from './naming.ts';
import { StepClock } from './tracer.fixture.ts';

const NODE = 100;
const POD = 200;
const OPEN_POD = 201;
const STRANGER = 300;
const process = { pid: 7, comm: 'curl' };
const local = { address: '10.0.0.2', port: 4000 };
const remote = { address: '10.0.0.9', port: 443 };

const pod = (name: string, netnsInode: number, captured: boolean): ProbedPod => ({
  uid: `uid-${name}`,
  namespace: 'default',
  name,
  netnsInode,
  netnsPath: `/run/netns/${name}`,
  captured,
});
const PODS = [pod('client', POD, true), pod('open', OPEN_POD, false)];
const WHERE = { kind: 'pod', uid: 'uid-client', namespace: 'default', name: 'client' };

const named = (change: Partial<NamerOptions> = {}): { namer: Namer; clock: StepClock } => {
  const clock = new StepClock();
  const options = { pods: () => PODS, nodeNetns: NODE, clock };
  return { namer: new Namer({ ...options, ...change }), clock };
};

const exec = (netns: number): Sighting => ({
  kind: 'exec',
  netns,
  ...process,
  ppid: 1,
  uid: 0,
  path: '/bin/curl',
});
const connect = (change: Partial<Extract<Sighting, { kind: 'connect' }>> = {}): Sighting => ({
  kind: 'connect',
  netns: POD,
  socket: 1,
  byNetns: POD,
  process,
  destination: remote,
  ...change,
});
const close = (socket: number): Sighting => ({
  kind: 'close',
  netns: POD,
  socket,
  established: true,
  local,
  remote,
});
const packet = (change: Partial<Extract<Sighting, { kind: 'bypass' }>> = {}): Sighting => ({
  kind: 'bypass',
  netns: POD,
  answers: false,
  raw: false,
  socket: 0,
  own: true,
  process: { pid: 8, comm: 'raw' },
  local,
  remote,
  ...change,
});

test('Namer names the node and its pods, and nobody else', () => {
  const { namer } = named();
  expect(namer.name(exec(POD))).toMatchObject({ kind: 'exec', where: WHERE, comm: 'curl' });
  expect(namer.name(exec(NODE))).toMatchObject({ where: { kind: 'node' } });
  expect(namer.name(exec(STRANGER))).toBe('elsewhere');
});

test('Namer learns of new pods within a quarter of a second, and does not ask for each event', async () => {
  let pods: readonly ProbedPod[] = [];
  let asked = 0;
  const { namer, clock } = named({
    pods: () => {
      asked += 1;
      return pods;
    },
  });
  await clock.step(1);
  for (let i = 0; i < 100; i += 1) expect(namer.name(exec(POD))).toBe('elsewhere');
  expect(asked).toBe(1);
  pods = PODS;
  await clock.step(251);
  expect(namer.name(exec(POD))).toMatchObject({ where: WHERE });
});

test('Namer tells a delivery by a process that is not in the namespace of its socket', () => {
  const { namer } = named();
  expect(namer.name(connect())).toMatchObject({ delivery: false, destination: remote });
  expect(namer.name(connect({ byNetns: NODE }))).toMatchObject({ delivery: true });
});

test('Namer remembers who opened a socket until it closes', async () => {
  const { namer, clock } = named();
  namer.name(connect({ socket: 5 }));
  namer.name({ kind: 'accept', netns: POD, socket: 6, local, remote });
  await clock.step(1_500);
  expect(namer.name(close(5))).toMatchObject({ role: 'connected', process, durationMs: 1_500 });
  const accepted = namer.name(close(6));
  expect(accepted).toMatchObject({ role: 'accepted', durationMs: 1_500 });
  expect(accepted).not.toHaveProperty('process');
  for (const socket of [5, 7]) {
    const unknown = namer.name(close(socket));
    expect(unknown).not.toHaveProperty('role');
    expect(unknown).not.toHaveProperty('durationMs');
  }
});

test('Namer forgets the oldest of more than 16384 open sockets', () => {
  const { namer } = named();
  for (let socket = 1; socket <= 16_385; socket += 1) namer.name(connect({ socket }));
  expect(namer.name(close(1))).not.toHaveProperty('role');
  expect(namer.name(close(2))).toHaveProperty('role', 'connected');
  expect(namer.name(close(16_385))).toHaveProperty('role', 'connected');
});

test('Namer makes a bypass of captured pods alone', () => {
  const { namer } = named();
  expect(namer.name(packet())).toEqual({
    kind: 'bypass',
    at: 1_700_000_000_000,
    where: WHERE,
    direction: 'out',
    raw: false,
    local,
    remote,
    process: { pid: 8, comm: 'raw' },
    count: 1,
  });
  expect(namer.name(packet({ netns: OPEN_POD }))).toBe('lawful');
  expect(namer.name(packet({ netns: NODE }))).toBe('lawful');
  expect(namer.name(packet({ netns: STRANGER }))).toBe('elsewhere');
});

test('Namer tells an answer by its flags or its socket; a packet socket answers nobody', () => {
  const { namer } = named();
  namer.name({ kind: 'accept', netns: POD, socket: 6, local, remote });
  expect(namer.name(packet({ answers: true }))).toMatchObject({ direction: 'in' });
  expect(namer.name(packet({ socket: 6 }))).toMatchObject({ direction: 'in' });
  expect(namer.name(packet({ answers: true, raw: true }))).toMatchObject({
    direction: 'out',
    raw: true,
  });
});

test('Namer names as sender who asked for the socket, else a process beside it, else nobody', () => {
  const { namer } = named();
  namer.name(connect({ socket: 9 }));
  expect(namer.name(packet({ socket: 9, own: false }))).toHaveProperty('process', process);
  expect(namer.name(packet())).toHaveProperty('process', { pid: 8, comm: 'raw' });
  for (const change of [
    { own: false },
    { process: { pid: 0, comm: 'swapper/0' } },
    { answers: true },
  ]) {
    expect(namer.name(packet(change))).not.toHaveProperty('process');
  }
});

test('Namer.capturedPod() is the pod of a namespace while it is captured', () => {
  const { namer } = named();
  expect(namer.capturedPod(POD)).toEqual(WHERE);
  for (const netns of [OPEN_POD, NODE, STRANGER]) {
    expect(namer.capturedPod(netns)).toBeUndefined();
  }
});
