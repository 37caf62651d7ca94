// The data-plane process: started by proxy/plane.ts as root, it starts its workers, gives up every
// privilege and only then says hello and is given keys, listeners and sockets. It reads no file after
// that and ends when its channel to the control plane does.
import { Socket } from 'node:net';
import { asymmetricCounts } from '#agent/base/asymmetric.ts';
import { systemClock } from '#agent/base/clock.ts';
import { asTidelockError, TidelockError } from '#agent/base/errors.ts';
import { Channel, decodeFrame } from './channel.ts';
import {
  CONTROL_VERSION,
  MAX_CONTROL_FRAME_BYTES,
  PLANE_FDS,
  type ControlMessage,
  type DataMessage,
  type FromWorker,
  type PlaneSettings,
} from './control.ts';
import { Crew } from './crew.ts';
import { VerificationDesk } from './desk.ts';
import { EventGate } from './eventGate.ts';
import { closeFd } from '#proxy/native/fd.ts';
import { receiveFds } from '#proxy/native/fdpass.ts';
import { dropPrivileges } from './privilege.ts';

/** How often the count of asymmetric operations is told while it changes. */
const COUNTS_EVERY_MS = 1000;

/** Runs a data plane whose workers run `script`, on the descriptors of PLANE_FDS. */
export function runDataPlane(script: URL): void {
  const desk = new VerificationDesk();
  const events = new EventGate(systemClock);
  let crew: Crew | undefined;
  let countsPending = false;

  const channel = new Channel<DataMessage>(new Socket({ fd: PLANE_FDS.channel }), {
    maxFrameBytes: MAX_CONTROL_FRAME_BYTES,
    maxQueuedBytes: 1 << 20,
    onFrame: (frame) => obey(frame),
    onClose: (error) => (error === undefined ? process.exit(0) : fail(error)),
  });

  function obey(frame: Buffer): void {
    try {
      const message = decodeFrame(frame) as ControlMessage;
      if (message.type === 'hello') start(message.version, message.settings).catch(fail);
      else if (crew !== undefined) carryOut(crew, message, frame);
    } catch (error) {
      fail(error);
    }
  }

  async function start(version: number, settings: PlaneSettings): Promise<void> {
    if (version !== CONTROL_VERSION) throw otherVersion(version);
    const started = await Crew.start(script, settings, {
      acked: (version) => channel.send({ type: 'ack', version }),
      said: (worker, message) => hear(worker, message),
      drained: () => channel.send({ type: 'drained' }),
      died: fail,
    });
    dropPrivileges(settings);
    crew = started;
    channel.send({ type: 'hello', version: CONTROL_VERSION, workers: settings.workers });
  }

  function hear(
    worker: number,
    message: Extract<FromWorker, { type: 'poolLow' | 'event' | 'verify' }>,
  ): void {
    switch (message.type) {
      case 'poolLow':
        channel.send({ ...message, worker });
        return;
      case 'event':
        events.leftOut(message.dropped);
        events.pass(message.event, (event, dropped) =>
          channel.send({ type: 'event', event, dropped }),
        );
        return;
      case 'verify': {
        const valid = desk.verify(message.key, message.message, message.signature);
        crew?.tell(worker, { type: 'verified', id: message.id, valid });
        tellCounts();
      }
    }
  }

  function tellCounts(): void {
    if (countsPending) return;
    countsPending = true;
    systemClock.after(COUNTS_EVERY_MS, () => {
      countsPending = false;
      const { total, tokens } = asymmetricCounts();
      channel.send({ type: 'asymmetric', total, tokens });
    });
  }
}

function carryOut(
  crew: Crew,
  message: Exclude<ControlMessage, { type: 'hello' }>,
  frame: Buffer,
): void {
  switch (message.type) {
    case 'snapshot':
      crew.snapshot(frame);
      return;
    case 'listener': {
      const fds = takeFds(message.ticket);
      for (const fd of fds) {
        crew.listen(message.role, fd);
        closeFd(fd);
      }
      return;
    }
    case 'unlisten':
      crew.unlisten(message.role);
      return;
    case 'sockets':
      crew.sockets(
        message.worker,
        message.podUid,
        message.family,
        message.count === 0 ? [] : takeFds(message.ticket),
      );
      return;
    case 'drain':
      crew.drain(message.deadlineMs);
  }
}

/** The descriptors announced under `ticket`: they are sent before the announcement, in its order. */
function takeFds(ticket: number): readonly number[] {
  const passed = receiveFds(PLANE_FDS.fds);
  if (passed?.ticket === ticket) return passed.fds;
  throw new TidelockError('CONTROL_MALFORMED', {
    op: 'plane.take',
    message: `Cannot take descriptors of ticket ${ticket}: ${passed === undefined ? 'none wait' : `ticket ${passed.ticket} is next`}`,
    hint: 'This is a defect in tidelock; the data plane starts anew. Please report it with the log.',
  });
}

const otherVersion = (version: number): TidelockError =>
  new TidelockError('CONTROL_MALFORMED', {
    op: 'plane.start',
    message: `Cannot work for a control plane that speaks version ${version}: this is ${CONTROL_VERSION}`,
    hint: 'Restart the agent, so that both processes come from the same version.',
  });

/** Last words go to stderr, which the control plane logs. */
function fail(error: unknown): never {
  const { code, message, hint } = asTidelockError(error, 'plane.run');
  process.stderr.write(`${code}: ${message}\n${hint}\n`);
  process.exit(1);
}

if (import.meta.main) runDataPlane(new URL('./worker.ts', import.meta.url));
