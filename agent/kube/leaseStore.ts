// The lease in the Kubernetes API: one Lease, by compare-and-set over its resourceVersion. It moves values and says
// what is wrong with the API server; lease.ts decides, and nobody is believed because of what stands here.
import type { Clock } from '#agent/base/clock.ts';
import type { TidelockError } from '#agent/base/errors.ts';
import type { LeaseStore } from '#agent/epochs/lease.ts';
import type { Log } from '#agent/log.ts';
import { faultOf, hasStatus, type Fault, type LeaseName } from './faults.ts';
import { leaseObject, readLeaseObject, storedIn, type KeptLease } from './leaseObject.ts';
import { openSession, type KubeAccess, type Session } from './session.ts';

export interface KubernetesLeaseOptions extends LeaseName {
  readonly access: KubeAccess;
  /** For people who look at it: lease.ts goes by its own clock. */
  readonly ttlMs: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

const PAUSE_MIN_MS = 500;
/** Short, so that an agent conducts again soon after the API server is back. */
const PAUSE_MAX_MS = 5000;

export function kubernetesLease(options: KubernetesLeaseOptions): LeaseStore {
  const { access, clock, log, namespace, name, ttlMs } = options;
  const closing = new AbortController();
  /** Kinds of faults that were told of in this outage. */
  const said = new Set<Fault['kind']>();
  let session: Session | undefined;
  let problem: TidelockError | undefined;
  let failures = 0;
  let pausedUntilMs = -Infinity;
  /** As last read: what is written takes its place. */
  let kept: KeptLease | undefined;

  const isReachable = (): boolean => !closing.signal.aborted && clock.monoMs() >= pausedUntilMs;

  const failed = async (cause: unknown): Promise<void> => {
    const { error, kind, waitMs } = faultOf(cause, { namespace, name });
    const pauseMs = Math.min(PAUSE_MAX_MS, PAUSE_MIN_MS * 2 ** failures);
    pausedUntilMs = clock.monoMs() + Math.max(waitMs, pauseMs * (0.5 + options.random() / 2));
    failures += 1;
    problem = error;
    // Its connection, token and certificates are what may be wrong: the next try reads them anew.
    const before = session;
    session = undefined;
    await before?.close();
    if (closing.signal.aborted || said.has(kind)) return;
    said.add(kind);
    log.warn('lease.unreachable', { error });
  };

  const call = async <T>(act: (open: Session) => Promise<T>): Promise<T | undefined> => {
    if (!isReachable()) return undefined;
    try {
      session ??= openSession(access, closing.signal);
      const answer = await act(session);
      if (problem)
        log.info('lease.reachable', { text: `the Lease ${namespace}/${name} can be used` });
      problem = undefined;
      failures = 0;
      said.clear();
      return answer;
    } catch (cause) {
      await failed(cause);
      return undefined;
    }
  };

  return {
    kept: 'kubernetes',
    get isReachable() {
      return isReachable();
    },
    get problem() {
      return problem;
    },
    read: () =>
      call(async ({ leases }) => {
        const answer = await unless(404, leases.readNamespacedLease({ namespace, name }));
        kept = answer && readLeaseObject(answer.body, { namespace, name });
        return kept ? storedIn(kept) : { value: undefined, revision: undefined };
      }),
    swap: (value, revision) =>
      call(async ({ leases }) => {
        const before = kept?.metadata.resourceVersion === revision ? kept : undefined;
        if (revision !== undefined && !before) return undefined; // of a state that was never read
        const body = leaseObject(value, { namespace, name }, before, {
          ttlMs,
          nowMs: clock.wallMs(),
        });
        // 409: somebody else was first, be it to create it, to change it or to remove it.
        const answer = await unless(
          409,
          before
            ? leases.replaceNamespacedLease({ namespace, name, body })
            : leases.createNamespacedLease({ namespace, body }),
        );
        kept = answer && readLeaseObject(answer.body, { namespace, name });
        return kept?.metadata.resourceVersion;
      }),
    close: async () => {
      closing.abort();
      await session?.close();
      session = undefined;
    },
  };
}

/** What was answered, or undefined when it was refused with this status, which is an answer as well. */
async function unless(
  status: number,
  answer: Promise<unknown>,
): Promise<{ readonly body: unknown } | undefined> {
  try {
    return { body: await answer };
  } catch (thrown) {
    if (hasStatus(thrown, status)) return undefined;
    throw thrown;
  }
}
