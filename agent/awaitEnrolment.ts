// The start of an agent whose node no owner has enrolled, where owners delegate that: it waits until two members have
// endorsed the node, or an owner has enrolled it after all, and says what is missing meanwhile.
import { access } from 'node:fs/promises';
import { sleep, type Clock } from '#agent/base/clock.ts';
import { messageOf } from '#agent/base/errors.ts';
import { Endorsements, type EndorsementOptions } from '#agent/epochs/endorsements.ts';
import type { Config } from './config.ts';
import type { Log } from './log.ts';
import { ENROL_REMEDY, readOwnEnrolment, type OwnEnrolment } from './ownerDocuments.ts';
import { replaceFile } from './replaceFile.ts';

export type AwaitOptions = EndorsementOptions & {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
};

const CONNECT_MS = 10_000;
const LOOK_MS = 250;
const RETRY_MIN_MS = 5_000;
const RETRY_MAX_MS = 5 * 60_000;

/** Whether this node is to ask others for an enrolment: it has none, and owners delegate it. */
export const isToBeEndorsed = async ({ attestation }: Config): Promise<boolean> =>
  attestation.delegationFile !== undefined && !(await isThere(attestation.enrolmentFile));

/**
 * The enrolment of this node once there is one, in its file (0600); undefined when the signal came first.
 * Errors: FILE_UNWRITABLE, and those of readOwnEnrolment for what an owner has put there meanwhile.
 */
export async function awaitEnrolment(options: AwaitOptions): Promise<OwnEnrolment | undefined> {
  const { config, bus, clock, random, log, signal, node } = options;
  const file = config.attestation.enrolmentFile;
  const endorsements = new Endorsements(options);
  await connected(options);
  let said = '';
  for (let pauseMs = RETRY_MIN_MS; !signal.aborted;) {
    const found = await endorsements.round().catch((cause: unknown) => ({ why: messageOf(cause) }));
    if (await isThere(file)) return readOwnEnrolment(config);
    if (!('why' in found)) {
      await replaceFile(file, `${JSON.stringify(found, null, 2)}\n`, 0o600);
      const own = await readOwnEnrolment(config);
      const text = `${own.endorsedBy.join(' and ')} endorsed ${node}: it is enrolled, in ${file}`;
      log.info('node.endorsed', { endorsers: own.endorsedBy, text });
      return own;
    }
    if (found.why !== said) {
      const text = `${node} is not enrolled: ${found.why}. It asks again. ${ENROL_REMEDY}`;
      log.warn('node.unendorsed', { text });
      said = found.why;
    }
    await sleep(clock, pauseMs * (0.5 + random()), signal);
    pauseMs = bus.connected ? Math.min(2 * pauseMs, RETRY_MAX_MS) : RETRY_MIN_MS;
  }
  return undefined;
}

/** A bus takes a moment to be there: nothing is said of it at once. */
async function connected({ bus, clock, signal }: AwaitOptions): Promise<void> {
  const untilMs = clock.monoMs() + CONNECT_MS;
  while (!bus.connected && !signal.aborted && clock.monoMs() < untilMs) {
    await sleep(clock, LOOK_MS, signal);
  }
}

const isThere = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );
