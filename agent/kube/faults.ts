// What can go wrong between this node and the API server, as one error each with its cause and its remedy. Pure.
import { ApiException } from '@kubernetes/client-node';
import { z } from 'zod';
import { messageOf, TidelockError } from '#agent/base/errors.ts';

/** The Lease that a call was about. */
export interface LeaseName {
  readonly namespace: string;
  readonly name: string;
}

export interface Fault {
  readonly error: TidelockError;
  /** Few, whatever the server says: one line of the log each in an outage. */
  readonly kind:
    | 'access'
    | 'certificate'
    | 'connection'
    | 'silence'
    | 'answer'
    | 'token'
    | 'role'
    | 'namespace'
    | 'refusal';
  /** How long the server asks to be left alone, at most a minute. */
  readonly waitMs: number;
}

const MAX_WAIT_MS = 60_000;
const MAX_SAID = 300;

/** Whether an answer was refused with this status. */
export const hasStatus = (thrown: unknown, status: number): boolean =>
  thrown instanceof ApiException && thrown.code === status;

/** Why a call failed. */
export function faultOf(cause: unknown, lease: LeaseName): Fault {
  if (cause instanceof TidelockError) return { error: cause, kind: 'access', waitMs: 0 };
  const { code, kind, state, hint } = explained(cause, lease);
  const error = new TidelockError(code, {
    op: 'kube.lease',
    message: `Cannot use the Lease ${lease.namespace}/${lease.name}: ${state}`,
    hint,
    cause,
  });
  return { error, kind, waitMs: waitOf(cause) };
}

interface Explained {
  readonly code: 'KUBE_DENIED' | 'KUBE_UNREACHABLE';
  readonly kind: Fault['kind'];
  readonly state: string;
  readonly hint: string;
}

const GOES_ON =
  'While nobody can conduct, records stop and chains tick on; the agent keeps trying.';

const away = (kind: Fault['kind'], state: string, question: string): Explained => ({
  code: 'KUBE_UNREACHABLE',
  kind,
  state,
  hint: `${question} ${GOES_ON}`,
});

const denied = (kind: Fault['kind'], state: string, remedy: string): Explained => ({
  code: 'KUBE_DENIED',
  kind,
  state,
  hint: `${remedy} ${GOES_ON}`,
});

/** A call that was not answered, or by something else than a Lease. */
function explained(cause: unknown, lease: LeaseName): Explained {
  if (cause instanceof ApiException) return answered(cause, lease);
  const fault = innermost(cause);
  const { code = '', syscall } = systemError.safeParse(fault).data ?? {};
  if (cause instanceof Error && /^(Timeout|Abort)Error$/.test(cause.name)) {
    const question = 'Is it overloaded, or does something drop the packets on the way?';
    return away('silence', 'the API server gives no answer in time', question);
  }
  if (syscall === 'open' || syscall === 'read') {
    const remedy =
      'Is the service account’s token mounted into the pod, as daemonset/components/kubernetes-lease has it, or is kubernetes.kubeconfig right?';
    return denied('access', messageOf(fault), remedy);
  }
  if (/CERT|SIGNATURE|ALTNAME/.test(code)) {
    const state = `the API server’s certificate does not hold: ${messageOf(fault)}`;
    return away('certificate', state, 'Is the certificate authority that of this cluster?');
  }
  if (code !== '' || (cause instanceof TypeError && cause.message === 'fetch failed')) {
    const state = `the API server cannot be reached: ${code || messageOf(fault)}`;
    return away('connection', state, 'Does it run, and does the node’s network lead to it?');
  }
  const question =
    'Is what answers there an API server? A proxy between them may answer in its place.';
  return away('answer', 'the answer is no Lease', question);
}

const systemError = z.object({ code: z.string().optional(), syscall: z.string().optional() });

/** An answer that is no success. */
function answered(cause: ApiException<unknown>, { namespace, name }: LeaseName): Explained {
  const said = saidIn(cause.body);
  const state = `the API server answers ${cause.code}${said && `: ${said}`}`;
  switch (cause.code) {
    case 401:
      return denied(
        'token',
        state,
        'The token is not known or has expired; it is read again from its file at each try. Does the kubelet renew it, and is it of this cluster?',
      );
    case 403:
      return denied(
        'role',
        state,
        `Apply daemonset/components/kubernetes-lease, or bind a Role in ${namespace} that allows get and update of leases.coordination.k8s.io named ${name}, and create of leases, to this node’s service account.`,
      );
    case 404:
      return denied(
        'namespace',
        state,
        `Is there a namespace ${namespace}? kubernetes.namespace says where the Lease is.`,
      );
    case 429:
      return away('refusal', state, 'It has too much to do.');
    default:
      return away('refusal', state, 'Its own log says why.');
  }
}

const statusBody = z.object({ message: z.string() });

/** What an answer says for itself: the message of a Status, on one line. */
function saidIn(body: unknown): string {
  const text = typeof body === 'string' ? body : '';
  let said = text;
  try {
    said = statusBody.safeParse(JSON.parse(text)).data?.message ?? '';
  } catch {
    // no Status: a proxy's page, or a word
  }
  return said
    .replaceAll(/[^\x20-\x7e]+/g, ' ')
    .trim()
    .slice(0, MAX_SAID);
}

/** `Retry-After` in seconds (RFC 9110 10.2.3); the API server sends no dates. */
function waitOf(cause: unknown): number {
  const text = cause instanceof ApiException ? (cause.headers['retry-after'] ?? '') : '';
  return /^\d{1,6}$/.test(text) ? Math.min(MAX_WAIT_MS, Number(text) * 1000) : 0;
}

/** `fetch failed` says nothing; what it failed of is below it. */
function innermost(cause: unknown): unknown {
  const [first] = cause instanceof AggregateError ? (cause.errors as unknown[]) : [];
  const below = first ?? (cause instanceof Error ? cause.cause : undefined);
  return below === undefined ? cause : innermost(below);
}
