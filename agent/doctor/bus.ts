// Checks of the bus, with this node's credentials and without the agent: each server, JetStream, and
// what time it is there.
import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { EXIT } from '#agent/base/codes.ts';
import { messageOf } from '#agent/base/errors.ts';
import { subjectsOf } from '#agent/epochs/subjects.ts';
import { fail, pass, skip, warn, type Check } from './check.ts';
import type { Context } from './context.ts';

const CALL_MS = 3_000;

const bus: Check = {
  id: 'bus',
  title: 'NATS',
  explanation: {
    looksAt: 'Connects to every server in bus.servers with this node’s credentials.',
    neededFor:
      'Epoch records, roster and presence come over it. Without it lanes go on for epochs.maxStalenessSeconds and a node that starts anew cannot join.',
    usualCause:
      'nats-server does not run, the address is wrong, a NetworkPolicy is in the way, or the nkey is not among the server’s users.',
    remedy: 'Start nats-server with JetStream; compare bus.servers, nkeySeedFile, credentialsFile.',
  },
  exit: EXIT.unreachable,
  needs: ['config'],
  run: async (context) => {
    const { usualCause, remedy } = bus.explanation;
    const { reached, failed } = await context.bus();
    const [first] = failed;
    if (reached.length === 0 && first?.code === 'BUS_UNREACHABLE') {
      return fail(failed.map(({ message }) => message).join('; '), usualCause, remedy);
    }
    if (reached.length === 0 && first) throw first; // refused: its hint is about credentials
    const rtts = await Promise.all(
      reached.map(async ({ text, connection }) => `${text}, ${await connection.rtt()} ms away`),
    );
    return failed.length === 0
      ? pass(rtts.join('; '))
      : warn([...rtts, ...failed.map(({ message }) => message)].join('; '), usualCause, remedy);
  },
};

const jetstream: Check = {
  id: 'jetstream',
  title: 'JetStream',
  explanation: {
    looksAt: 'Whether this account may use JetStream, and the streams of this cluster.',
    neededFor: 'Records, sealed messages and presence must outlive a restart of an agent.',
    usualCause: 'nats-server runs without jetstream, or the account has none.',
    remedy: 'Start it with -js or a jetstream section; give the account JetStream limits.',
  },
  exit: EXIT.missing,
  needs: ['bus'],
  run: async (context) => {
    const { usualCause, remedy } = jetstream.explanation;
    const { cluster } = await context.config();
    let manager: JetStreamManager;
    try {
      manager = await managerOf(context);
    } catch (cause) {
      return fail(messageOf(cause), usualCause, remedy);
    }
    const wanted = Object.values(subjectsOf(cluster).streams);
    const found = await Promise.all(wanted.map((name) => has(manager, name)));
    const count = found.filter(Boolean).length;
    return pass(
      count === 0
        ? 'on; the streams of this cluster are made by its first agent'
        : `on; ${count} of ${wanted.length} streams of this cluster`,
    );
  },
};

/** A notice where an operator should look; slot time follows the wall clock at a quarter of real time. */
const NOTICE_MS = 500;

const busClock: Check = {
  id: 'bus-clock',
  title: 'clock against the bus',
  explanation: {
    looksAt:
      'The time of a nats-server, taken from a consumer made for it and removed at once, against this node’s wall clock.',
    neededFor:
      'Slots are counted by wall time: a node that is off by half a period has other keys than its peers and can open no lane.',
    usualCause: 'No NTP on this node (or on the bus), or a virtual machine that was suspended.',
    remedy:
      'Run chrony or systemd-timesyncd on both machines; chronyc makestep puts a clock right at once.',
  },
  exit: EXIT.notVerified,
  needs: ['jetstream'],
  run: async (context) => {
    const { usualCause, remedy } = busClock.explanation;
    const { cluster, epochs } = await context.config();
    const read = await serverTime(context, subjectsOf(cluster).streams.presence);
    if (read === undefined) return skip('no agent of this cluster has made its streams yet');
    const { offsetMs, marginMs } = read;
    const size = Math.abs(offsetMs);
    const text = `this node is ${(size / 1000).toFixed(3)} s ${offsetMs < 0 ? 'behind' : 'ahead of'} the bus, give or take ${Math.ceil(marginMs)} ms`;
    if (size > epochs.periodMs / 2 + marginMs) return fail(text, usualCause, remedy);
    return size > NOTICE_MS + marginMs ? warn(text, usualCause, remedy) : pass(text);
  },
};

async function managerOf(context: Context): Promise<JetStreamManager> {
  const [server] = (await context.bus()).reached;
  if (server === undefined) throw new RangeError('no server was reached');
  return jetstreamManager(server.connection, { timeout: CALL_MS });
}

const has = (manager: JetStreamManager, stream: string): Promise<boolean> =>
  manager.streams.info(stream).then(
    () => true,
    () => false,
  );

/**
 * Wall time here minus time there. Servers before 2.10 tell their time in no other way than when a
 * consumer was made; an ephemeral one of an existing stream stores nothing and ends by itself.
 */
async function serverTime(
  context: Context,
  stream: string,
): Promise<{ readonly offsetMs: number; readonly marginMs: number } | undefined> {
  const manager = await managerOf(context);
  if (!(await has(manager, stream))) return undefined;
  const { clock } = context;
  const sentMs = clock.monoMs();
  const { name, created } = await manager.consumers.add(stream, {
    ack_policy: 'none',
    inactive_threshold: CALL_MS * NANOS_PER_MS,
    mem_storage: true,
  });
  const tookMs = clock.monoMs() - sentMs;
  const offsetMs = clock.wallMs() - tookMs / 2 - Date.parse(created);
  await manager.consumers.delete(stream, name);
  return { offsetMs: Math.round(offsetMs), marginMs: tookMs / 2 };
}

/** NATS counts durations in nanoseconds. */
const NANOS_PER_MS = 1_000_000;

export const BUS_CHECKS: readonly Check[] = [bus, jetstream, busClock];
