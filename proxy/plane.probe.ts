// A data plane for plane.hw.test.ts whose workers carry no lanes: they answer each connection with
// what they know and what they are able to do, then close it. As a worker this file is its own script.
import { Buffer } from 'node:buffer';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { isMainThread, parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { hex } from '#agent/base/bytes.ts';
import { snapshotOf } from './channel.ts';
import { wholeChains } from './snapshot.ts';
import {
  QUESTIONS_PER_SECOND,
  roleKey,
  type FromWorker,
  type ToWorker,
  type WorkerInit,
} from './control.ts';
import { Acceptor } from './acceptor.ts';
import { Counters } from './counters.ts';
import { Ledger } from './ledger.ts';
import { Leg, type LegOwner } from './leg.ts';
import { runDataPlane } from './main.ts';
import { encodeSockaddr } from '#proxy/native/sockaddr.ts';
import { checked, errnoOf, libc } from '#proxy/native/libc.ts';
import { Quota } from './quota.ts';
import { Reactor } from './reactor.ts';
import { ReplaySet } from './replay.ts';

export interface ProbeAnswer {
  readonly worker: number;
  readonly uid: number;
  /** Name of the error each forbidden thing ends in, or `allowed`. */
  readonly readFile: string;
  readonly spawn: string;
  readonly nativeRead: string;
  readonly nativeRoot: string;
  readonly nativeFork: string;
  readonly chainKey: string;
  /** Chains of the last snapshot, and those of them that were told whole. */
  readonly chains: number;
  readonly wholeChains: number;
  /** How many workers are counted, each as a lane of one peer. */
  readonly counted: number;
  /** Sockets received for the pod so far. */
  readonly sockets: number;
  readonly verified: readonly boolean[];
  /** Answers whose an address is, so far. */
  readonly found: number;
}

/** A connection to the listener of this pod makes the worker that takes it throw. */
export const CRASH_POD = 'crash';
/** A connection to the listener of this pod stays open after the answer. */
export const HOLD_POD = 'hold';
/** With a listener of this pod each worker asks for sockets and connects one to PROBE_ADDRESS. */
export const POOL_POD = 'pool';
/** With a listener of this pod each worker asks more often whose an address is than is passed on in a second. */
export const ASK_POD = 'ask';
export const POOL_TARGET = { host: '127.0.0.1', port: 15_099 } as const;

const ownerOf = (closed: () => void): LegOwner => ({
  data: () => undefined,
  end: () => undefined,
  drained: () => undefined,
  closed,
});

const open: (path: string, flags: number) => number = libc.func(
  'int open(const char *path, int flags)',
);
const fork: () => number = libc.func('int fork(void)');
const exit: (code: number) => void = libc.func('void _exit(int code)');
const setuid: (uid: number) => number = libc.func('int setuid(unsigned int uid)');

const outcome = (attempt: () => unknown): string => {
  try {
    attempt();
    return 'allowed';
  } catch (error) {
    return errnoOf(error) ?? (error as NodeJS.ErrnoException).code ?? 'failed';
  }
};

class ProbeWorker {
  readonly #init: WorkerInit;
  readonly #port: MessagePort;
  #reactor = new Reactor();
  readonly #listeners = new Map<string, Acceptor>();
  /** Connections accepted and not closed yet: a worker has drained when they are. */
  readonly #live = new Set<Leg>();
  #isDraining = false;
  #index = -1;
  #chainKey = '';
  #chains = 0;
  #wholeChains = 0;
  #sockets = 0;
  readonly #verified: boolean[] = [];
  #found = 0;

  constructor(init: WorkerInit, port: MessagePort) {
    this.#init = init;
    this.#port = port;
    ReplaySet.map(init.replayFd);
    port.on('message', (message: ToWorker) => this.#obey(message));
    this.#say({ type: 'ready' });
  }

  #obey(message: ToWorker): void {
    switch (message.type) {
      case 'begin':
        this.#index = message.index;
        this.#reactor = new Reactor(new Ledger(this.#init.ledger, this.#index));
        this.#reactor.pump();
        Counters.map(this.#init.countersFd).row(this.#index).add('lanesOpenedIn');
        new Quota(this.#init.quotas.peers, this.#index, this.#reactor.clock).count(0, 1);
        return;
      case 'snapshot': {
        const snapshot = snapshotOf(message.frame);
        const whole = wholeChains(snapshot);
        this.#chainKey = hex(whole[0]?.key ?? new Uint8Array(0));
        this.#chains = snapshot.chains.length;
        this.#wholeChains = whole.length;
        message.frame.fill(0);
        this.#say({ type: 'ack', version: snapshot.version });
        return;
      }
      case 'listen': {
        const { role } = message;
        const [crash, hold] = [CRASH_POD, HOLD_POD].map(
          (uid) => role.kind === 'pod' && role.podUid === uid,
        );
        const listener = new Acceptor(
          this.#reactor,
          message.fd,
          (accepted) => {
            if (crash) throw new RangeError('told to crash');
            const leg = Leg.accepted(
              this.#reactor,
              accepted.fd,
              ownerOf(() => {
                this.#live.delete(leg);
                this.#tellDrained();
              }),
            );
            this.#live.add(leg);
            leg.write(Buffer.from(JSON.stringify(this.#answer())));
            if (!hold) leg.end();
          },
          (error) => {
            throw error;
          },
        );
        this.#listeners.get(roleKey(role))?.close();
        this.#listeners.set(roleKey(role), listener);
        if (role.kind === 'pod' && role.podUid === ASK_POD) {
          for (let id = 1; id <= 3 * QUESTIONS_PER_SECOND; id += 1) {
            this.#say({ type: 'whereIs', id, address: '192.0.2.1' });
          }
        }
        if (role.kind === 'pod' && role.podUid === POOL_POD) {
          this.#say({ type: 'poolLow', podUid: POOL_POD, family: 4, want: 5 });
        }
        return;
      }
      case 'unlisten':
        this.#listeners.get(roleKey(message.role))?.close();
        this.#listeners.delete(roleKey(message.role));
        return;
      case 'sockets':
        this.#sockets += message.fds.length;
        if (message.fds.length === 0) {
          this.#say({ type: 'poolLow', podUid: POOL_POD, family: 4, want: 5 });
          return;
        }
        for (const fd of message.fds) {
          const to = encodeSockaddr(POOL_TARGET.host, POOL_TARGET.port);
          const owner = ownerOf(() => undefined);
          const leg = Leg.connecting(this.#reactor, fd, to, owner, () => {
            leg.write(Buffer.from(String(this.#index)));
            leg.end();
          });
        }
        this.#say({
          type: 'verify',
          id: 1,
          key: new Uint8Array(32),
          message: new Uint8Array(1),
          signature: new Uint8Array(64),
        });
        return;
      case 'verified':
        this.#verified.push(message.valid);
        this.#say({
          type: 'events',
          events: [{ at: Date.now(), kind: 'refused', direction: 'in', reason: 'bad-token' }],
          dropped: 0,
        });
        return;
      case 'drain':
        this.#isDraining = true;
        for (const listener of this.#listeners.values()) listener.close();
        this.#tellDrained();
        return;
      case 'lanes':
        this.#say({ type: 'lanes', id: message.id, lanes: [], live: 0 });
        return;
      case 'whereabouts':
        this.#found += 1;
        return;
      case 'succeeded':
      case 'canary':
        return;
    }
  }

  #tellDrained(): void {
    if (this.#isDraining && this.#live.size === 0) this.#say({ type: 'drained' });
  }

  #answer(): ProbeAnswer {
    return {
      worker: this.#index,
      uid: process.getuid?.() ?? -1,
      readFile: outcome(() => readFileSync('/etc/passwd')),
      spawn: outcome(() => spawnSync('/bin/true')),
      nativeRead: outcome(() => checked('open', open('/etc/shadow', 0))),
      nativeRoot: outcome(() => checked('setuid', setuid(0))),
      nativeFork: outcome(() => checked('fork', fork()) === 0 && exit(0)),
      chainKey: this.#chainKey,
      chains: this.#chains,
      wholeChains: this.#wholeChains,
      counted: new Int32Array(this.#init.quotas.peers.live).reduce((all, lanes) => all + lanes, 0),
      sockets: this.#sockets,
      verified: this.#verified,
      found: this.#found,
    };
  }

  #say(message: FromWorker): void {
    this.#port.postMessage(message, []);
  }
}

if (
  !isMainThread &&
  parentPort !== null &&
  (workerData as WorkerInit | null)?.replayFd !== undefined
) {
  // Lives by its port.
  void new ProbeWorker(workerData as WorkerInit, parentPort);
} else if (import.meta.main) {
  runDataPlane(new URL(import.meta.url));
}
