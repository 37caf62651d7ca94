// Traces in the network namespaces of pods: the nftables table, and the reuse of ports.
import { stat } from 'node:fs/promises';
import { messageOf } from '#agent/base/errors.ts';
import type { Run } from '#agent/base/run.ts';
import { openNetns, withNetns } from '#proxy/native/netns.ts';
import { removeRulesIn, rulesIn } from '#proxy/redirect/nftables.ts';
import { portsAreReused, resetPorts } from '#proxy/redirect/portReuse.ts';
import type { Namespace } from './namespaces.ts';
import { unknownTrace, type Trace } from './trace.ts';

/** The traces of one namespace; none of one that has ended, which took everything in it along. */
export async function podTraces(run: Run, namespace: Namespace): Promise<readonly Trace[]> {
  const rules = await rulesTrace(run, namespace);
  // Others set it too: where no rules of ours are, it is theirs.
  const setting = rules.presence === 'absent' ? [] : [await settingTrace(namespace)];
  const traces = [rules, ...setting];
  const known = traces.every(({ presence }) => presence !== 'unknown');
  return known || (await isThere(namespace.path)) ? traces : [];
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

async function rulesTrace(run: Run, { name, path }: Namespace): Promise<Trace> {
  const of = { kind: 'rules', what: 'nftables table inet tidelock', where: name } as const;
  try {
    const there = (await rulesIn(run, path)) !== undefined;
    return {
      ...of,
      presence: there ? 'there' : 'absent',
      remove: () => removeRulesIn(run, path),
    };
  } catch (thrown) {
    return unknownTrace(of, messageOf(thrown));
  }
}

/** What it was before an agent that was killed set it nobody knows: it is put to what the kernel starts with. */
async function settingTrace({ name, path }: Namespace): Promise<Trace> {
  const of = { kind: 'setting', what: 'net.ipv4.tcp_tw_reuse = 1', where: name } as const;
  const inside = <T>(act: () => T): T => {
    const netns = openNetns(path);
    try {
      return withNetns(netns, act);
    } finally {
      netns.close();
    }
  };
  try {
    return {
      ...of,
      presence: inside(portsAreReused) ? 'there' : 'absent',
      remove: async () => inside(resetPorts),
    };
  } catch (thrown) {
    return unknownTrace(of, messageOf(thrown));
  }
}
