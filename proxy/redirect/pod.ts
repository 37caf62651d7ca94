// One captured pod: the listener inside its network namespace, the rules that lead there, and sockets
// made there for delivery. The agent itself stays outside; the pod needs nothing and sees one port.
import { sleep, type Clock } from '#agent/base/clock.ts';
import { TidelockError } from '#agent/base/errors.ts';
import type { Run } from '#agent/base/run.ts';
import { closeFd } from '#proxy/native/fd.ts';
import { errnoOf } from '#proxy/native/libc.ts';
import { closeListener } from '#proxy/native/listening.ts';
import { inodeOf, openNetns, withNetns, type Netns } from '#proxy/native/netns.ts';
import { tcpListener, tcpSocket } from '#proxy/native/socket.ts';
import type { InheritedListeners } from '#proxy/inheritedListeners.ts';
import { clientSocket, hideClients, showClients, showsClients } from './clientAddress.ts';
import { loadRules, type LoadedRules, type RefusedSource, type RulesState } from './nftables.ts';
import { PORT_REUSE, POD_SETTINGS, type PodSetting } from './podSetting.ts';
import { RuleCounters, type RuleCounts } from './ruleCounters.ts';
import { OUTBOUND_PORT, type Plaintext } from './ruleset.ts';

export interface PodToCapture {
  readonly uid: string;
  /** `/proc/PID/ns/net` or `/run/netns/NAME`. */
  readonly netnsPath: string;
  readonly ips: readonly string[];
  readonly plaintext: Plaintext;
  /** Whom its programs are to see as their peer: the client, or the pod itself. */
  readonly sourceAddress: 'preserve' | 'pod';
}

export interface PodListener {
  readonly family: 4 | 6;
  /** Listening socket on the pod's loopback; closed by release. */
  readonly fd: number;
}

export interface CapturedPod {
  readonly uid: string;
  readonly listeners: readonly PodListener[];
  /** False where the host does not let ended connections' ports be reused (PORT_REUSE). */
  readonly reusesPorts: boolean;
  /** Why its programs do not see their clients' addresses; undefined: they do, or are not to. */
  readonly sourceProblem: string | undefined;
  /** Tries again what `sourceProblem` says, for the sockets that are made from now on. */
  retrySource(): Promise<void>;
  /** Unconnected TCP sockets of the pod's namespace; the caller closes them. Errors: SYSCALL_FAILED. */
  makeSockets(count: number, family: 4 | 6): readonly number[];
  /** Whether the rules stand as they were loaded. Errors: REDIRECT_FAILED. */
  rules(): Promise<RulesState>;
  /** What the rules have counted since they were loaded. Errors: SYSCALL_FAILED. */
  counts(): RuleCounts;
  /** Whose plaintext was refused lately, the last one first. Errors: REDIRECT_FAILED. */
  refusedSources(): Promise<readonly RefusedSource[]>;
  /**
   * Frees the pod: rules first, so that no connection is led to a listener that is gone. Deliveries may go
   * on until forget(). Once. Errors: REDIRECT_FAILED.
   */
  release(): Promise<void>;
  /** Removes the rest, after release() and when no delivery goes on. Once. Errors: REDIRECT_FAILED. */
  forget(): Promise<void>;
  /** Leaves the rules, which then refuse the pod's connections until an agent captures it again. Once. */
  abandon(): void;
}

export interface CaptureDeps {
  readonly run: Run;
  readonly clock: Clock;
  /** Listeners that a data plane before this control plane holds. */
  readonly before?: InheritedListeners | undefined;
}

/** How long the port may still be held by the data plane of an agent that was killed. */
const PORT_ATTEMPTS = 10;
const PORT_RETRY_MS = 200;

/**
 * Captures a pod: listener first, then rules, which replace those of an agent before this one.
 * Errors: NETNS_UNAVAILABLE, POD_PORT_IN_USE, REDIRECT_FAILED, SYSCALL_FAILED; nothing is left then.
 */
export async function capturePod(
  pod: PodToCapture,
  { run, clock, before }: CaptureDeps,
): Promise<CapturedPod> {
  const netns = openNetns(pod.netnsPath);
  const isPreserving = pod.sourceAddress === 'preserve';
  let listeners: readonly PodListener[] = [];
  let rules: LoadedRules;
  let counters: RuleCounters | undefined;
  let settings: ReadonlyMap<PodSetting, string | undefined>;
  let sourceProblem: string | undefined;
  try {
    listeners = await openListeners(netns, pod, clock, before);
    counters = withNetns(netns, () => new RuleCounters());
    rules = await loadRules(run, { netnsPath: netns.path, plaintext: pod.plaintext });
    const wanted = isPreserving ? POD_SETTINGS : [PORT_REUSE];
    settings = withNetns(netns, () => new Map(wanted.map((each) => [each, each.set()])));
    if (isPreserving) sourceProblem = await showClients(netns, pod.ips, clock);
  } catch (error) {
    for (const { fd } of listeners) closeListener(fd);
    counters?.close();
    netns.close();
    throw error;
  }
  const counts = counters;
  const isShowing = (): boolean => isPreserving && sourceProblem === undefined;
  const close = (): void => {
    for (const { fd } of listeners) closeListener(fd);
    counts.close();
  };
  return {
    uid: pod.uid,
    listeners,
    reusesPorts: settings.get(PORT_REUSE) !== undefined,
    get sourceProblem() {
      return sourceProblem;
    },
    retrySource: async () => {
      sourceProblem = await showClients(netns, pod.ips, clock);
    },
    makeSockets: (count, family) => {
      const makeSocket = isShowing() ? clientSocket : tcpSocket;
      return withNetns(netns, () => makeSockets(count, family, makeSocket));
    },
    rules: async () => {
      const state = await rules.state();
      const isRouted = !isShowing() || withNetns(netns, () => showsClients(pod.ips));
      return state === 'intact' && !isRouted ? 'changed' : state;
    },
    counts: () => counts.read(),
    refusedSources: () => rules.refusedSources(),
    release: async () => {
      try {
        await rules.release();
      } finally {
        close();
      }
    },
    forget: async () => {
      try {
        withNetns(netns, () => {
          for (const [setting, found] of settings) setting.restore(found);
          hideClients();
        });
        await rules.remove();
      } finally {
        netns.close();
      }
    },
    abandon: () => {
      close();
      netns.close();
    },
  };
}

async function openListeners(
  netns: Netns,
  pod: PodToCapture,
  clock: Clock,
  before: InheritedListeners | undefined,
): Promise<readonly PodListener[]> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return withNetns(netns, () => listenInside(pod.ips, inodeOf(netns.fd), before));
    } catch (error) {
      if (errnoOf(error) !== 'EADDRINUSE') throw error;
      if (attempt === PORT_ATTEMPTS) throw portInUse(pod.uid, error);
    }
    await sleep(clock, PORT_RETRY_MS);
  }
}

/** On the pod's loopback; a socket that listens there already is used on, with who waits in it. */
function listenInside(
  ips: readonly string[],
  netns: number,
  before: InheritedListeners | undefined,
): readonly PodListener[] {
  const listeners: PodListener[] = [];
  const port = OUTBOUND_PORT;
  const listenAt = (family: 4 | 6, address: string): void => {
    const fd = before?.claim({ address, port, netns }) ?? tcpListener(address, port);
    listeners.push({ family, fd });
  };
  try {
    listenAt(4, '127.0.0.1');
    if (ips.some((ip) => ip.includes(':'))) listenAt(6, '::1');
    return listeners;
  } catch (error) {
    for (const { fd } of listeners) closeListener(fd);
    throw error;
  }
}

function makeSockets(
  count: number,
  family: 4 | 6,
  makeSocket: (family: 4 | 6) => number,
): readonly number[] {
  const fds: number[] = [];
  try {
    while (fds.length < count) fds.push(makeSocket(family));
    return fds;
  } catch (error) {
    fds.forEach(closeFd);
    throw error;
  }
}

const portInUse = (uid: string, cause: unknown): TidelockError =>
  new TidelockError('POD_PORT_IN_USE', {
    op: 'redirect.listen',
    message: `Cannot capture pod ${uid}: port ${OUTBOUND_PORT} on its loopback is in use`,
    hint: 'A program in the pod, or an agent that still runs, listens there; end it or move it to another port.',
    cause,
  });
