// Traces in the network namespaces of pods: the nftables table, the routing of answers, and kernel settings.
import { stat } from 'node:fs/promises';
import { messageOf } from '#agent/base/errors.ts';
import type { Run } from '#agent/base/run.ts';
import { withNetnsAt } from '#proxy/native/netns.ts';
import { removeRulesIn, rulesIn } from '#proxy/redirect/nftables.ts';
import { clientsAreShown, hideClients } from '#proxy/redirect/clientAddress.ts';
import { POD_SETTINGS, type PodSetting } from '#proxy/redirect/podSetting.ts';
import type { Namespace } from './namespaces.ts';
import { unknownTrace, type Trace } from './trace.ts';

/** The traces of one namespace; none of one that has ended, which took everything in it along. */
export async function podTraces(run: Run, namespace: Namespace): Promise<readonly Trace[]> {
  const rules = await rulesTrace(run, namespace);
  // Others change settings too: where no rules of ours are, they are theirs.
  const settings =
    rules.presence === 'absent'
      ? []
      : await Promise.all(POD_SETTINGS.map((setting) => settingTrace(namespace, setting)));
  const traces = [rules, await routingTrace(namespace), ...settings];
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

async function routingTrace({ name, path }: Namespace): Promise<Trace> {
  const of = { kind: 'rules', what: 'routing rule and table 15008', where: name } as const;
  try {
    return {
      ...of,
      presence: withNetnsAt(path, clientsAreShown) ? 'there' : 'absent',
      remove: async () => withNetnsAt(path, hideClients),
    };
  } catch (thrown) {
    return unknownTrace(of, messageOf(thrown));
  }
}

/** What it was before an agent that was killed set it nobody knows: it is put to what the kernel starts with. */
async function settingTrace({ name, path }: Namespace, setting: PodSetting): Promise<Trace> {
  const of = { kind: 'setting', what: setting.text, where: name } as const;
  try {
    return {
      ...of,
      presence: withNetnsAt(path, () => setting.isSet()) ? 'there' : 'absent',
      remove: async () => withNetnsAt(path, () => setting.reset()),
    };
  } catch (thrown) {
    return unknownTrace(of, messageOf(thrown));
  }
}
