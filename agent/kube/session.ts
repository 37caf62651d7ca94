// One client of the Kubernetes API: who this node is there, one connection, bounded answers in bounded time. It asks
// nothing of itself; a session that failed is thrown away, and with it every token and certificate it had read.
import {
  CoordinationV1Api,
  createConfiguration,
  KubeConfig,
  ResponseContext,
  SelfDecodingBody,
  ServerConfiguration,
  type Middleware,
  type RequestContext,
} from '@kubernetes/client-node';
import { TidelockError } from '#agent/base/errors.ts';
import { VERSION } from '#agent/version.ts';
import { readKubeconfig } from './kubeconfig.ts';

/** Where the API server is and who this node is to it. */
export interface KubeAccess {
  /** Absent: the service account of the pod that this process runs in. */
  readonly kubeconfig?: string | undefined;
  /** What stands before /var/run/secrets/kubernetes.io/serviceaccount; for tests. */
  readonly root?: string | undefined;
}

export interface Session {
  readonly leases: CoordinationV1Api;
  close(): Promise<void>;
}

/** A call that takes longer has failed: the agent has other things to do in a slot. */
export const CALL_TIMEOUT_MS = 2000;
/** A Lease is a few hundred bytes; what others may have put beside ours fits as well. */
const MAX_ANSWER_BYTES = 1 << 20;

/** Reads credentials and opens nothing yet. Errors: KUBE_DENIED. */
export function openSession(access: KubeAccess, closing: AbortSignal): Session {
  const config = configOf(access);
  let dispatcher: ReturnType<RequestContext['getDispatcher']>;
  const each: Middleware = {
    pre: (request) => {
      request.setSignal(AbortSignal.any([closing, AbortSignal.timeout(CALL_TIMEOUT_MS)]));
      request.setHeaderParam('User-Agent', `tidelock/${VERSION}`);
      // The library makes a pool of connections for each call: the first one serves them all.
      dispatcher ??= request.getDispatcher();
      if (dispatcher) request.setDispatcher(dispatcher);
      return Promise.resolve(request);
    },
    post: async ({ httpStatusCode, headers, body }) =>
      new ResponseContext(
        httpStatusCode,
        headers,
        new SelfDecodingBody(Promise.resolve(await bounded(body.stream()))),
      ),
  };
  const configuration = createConfiguration({
    baseServer: new ServerConfiguration(config.getCurrentCluster()?.server ?? '', {}),
    authMethods: { default: config },
    promiseMiddleware: [each],
  });
  return {
    leases: new CoordinationV1Api(configuration),
    close: async () => dispatcher?.destroy(),
  };
}

function configOf({ kubeconfig, root = '' }: KubeAccess): KubeConfig {
  const config = new KubeConfig();
  if (kubeconfig !== undefined) {
    const { cluster, user } = readKubeconfig(kubeconfig);
    config.loadFromClusterAndUser(cluster, user);
    return config;
  }
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env;
  if (!host || !port) {
    throw new TidelockError('KUBE_DENIED', {
      op: 'kube.access',
      message:
        'Cannot use the Kubernetes API: this process runs in no pod, and no kubeconfig is set',
      hint: 'Set kubernetes.kubeconfig, or epochs.lease to bus.',
    });
  }
  config.loadFromCluster(root);
  return config;
}

/** Errors: RangeError for an answer that has no end. */
async function bounded(stream: ReadableStream<Uint8Array> | null): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of stream ?? []) {
    length += part.length;
    if (length > MAX_ANSWER_BYTES) throw new RangeError(`more than ${MAX_ANSWER_BYTES} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}
