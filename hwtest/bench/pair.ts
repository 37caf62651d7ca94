// The ground under every subject: a rig of two nodes with clients on one and servers on the other. Each
// server echoes and takes bulk; all namespaces have the same settings.
import { execIn, waitListening } from '#hwtest/rig/program.ts';
import { createRig, type PodPlan, type Rig, type RigPod } from '#hwtest/rig/rig.ts';

/** Where every server listens. */
export const ECHO_PORT = 7007;
export const BULK_PORT = 5201;
/** Room for connections that end within a run, in every namespace alike (ip-sysctl.rst). */
const SYSCTLS = { tcp_tw_reuse: '1', ip_local_port_range: '10240 65535' };
/** After which iperf3 gives a client up that went silent, so that the next one is served. */
const SILENT_MS = 5000;

/** A client on node-a and the server on node-b that it talks to. */
export interface Pair {
  readonly client: RigPod;
  readonly server: RigPod;
}

const pod = (name: string, node: string): PodPlan => ({
  name,
  node,
  namespace: 'default',
  serviceAccount: name,
});

/**
 * A rig with one pair of pods for each of `names`: `NAME-client` and `NAME-server`.
 * Errors: ROOT_REQUIRED, RIG_PREREQUISITE, RIG_PROGRAM, those of `run`.
 */
export async function makePairs<N extends string>(
  names: readonly N[],
  log: (line: string) => void,
  cluster = 'bench',
): Promise<{ readonly rig: Rig; readonly pairs: Readonly<Record<N, Pair>> }> {
  const pods = names.flatMap((name) => [
    pod(`${name}-client`, 'node-a'),
    pod(`${name}-server`, 'node-b'),
  ]);
  const rig = await createRig({ cluster, nodes: ['node-a', 'node-b'], pods, log });
  try {
    for (const { place } of [...rig.nodes, ...rig.pods]) {
      for (const [name, value] of Object.entries(SYSCTLS)) {
        await execIn(place, ['tee', `/proc/sys/net/ipv4/${name}`], { input: value });
      }
    }
    const pairs = names.map((name) => {
      const pair: Pair = { client: rig.pod(`${name}-client`), server: rig.pod(`${name}-server`) };
      return [name, pair] as const;
    });
    for (const [, { server }] of pairs) await serve(rig, server);
    return { rig, pairs: Object.fromEntries(pairs) as Record<N, Pair> };
  } catch (thrown) {
    await rig.close();
    throw thrown;
  }
}

async function serve(rig: Rig, server: RigPod): Promise<void> {
  const echo = [process.execPath, `${import.meta.dirname}/echo.ts`, String(ECHO_PORT)] as const;
  await waitListening(rig.spawn(server, echo, { name: 'echo' }), ECHO_PORT);
  const iperf = ['iperf3', '-s', '-p', `${BULK_PORT}`, '--rcv-timeout', `${SILENT_MS}`] as const;
  await waitListening(rig.spawn(server, iperf, { name: 'iperf3' }), BULK_PORT);
}
