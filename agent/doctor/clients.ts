// The check whether programs in pods see their clients: what the running agent found out when it captured
// them, and whether the routing that it made for this still stands.
import { counted } from '#agent/base/counted.ts';
import { EXIT } from '#agent/base/codes.ts';
import { withNetnsAt } from '#proxy/native/netns.ts';
import { showsClients } from '#proxy/redirect/clientAddress.ts';
import { fail, pass, skip, warn, type Check } from './check.ts';

export const CLIENTS_CHECK: Check = {
  id: 'clients',
  title: 'client addresses',
  explanation: {
    looksAt:
      'Whether the agent could have each pod’s programs see their clients’ addresses, and whether routing table 15008 in the pod still leads answers back.',
    neededFor: 'With lanes.sourceAddress: preserve programs see who calls them; else, themselves.',
    usualCause:
      'The pod has no default route, the kernel has no IP_MULTIPLE_TABLES, or somebody removed the routing rule.',
    remedy:
      'The message names each pod: give it a default route, or restart the agent to make the rule again; or set lanes.sourceAddress: pod.',
  },
  exit: EXIT.missing,
  needs: ['agent', 'inventory'],
  run: async (context) => {
    const { usualCause, remedy } = CLIENTS_CHECK.explanation;
    if ((await context.config()).lanes.sourceAddress === 'pod') {
      return skip('lanes.sourceAddress is pod');
    }
    const status = await context.status();
    const captured = (status?.pods ?? []).filter((pod) => pod.captured);
    const hidden = captured.flatMap(({ namespace, name, sourceProblem }) =>
      sourceProblem === undefined ? [] : [`${namespace}/${name}: ${sourceProblem}`],
    );
    if (hidden.length > 0) return warn(hidden.join('; '), usualCause, remedy);
    const ips = new Map(captured.map((pod) => [pod.uid, pod.ips]));
    const cut = (await context.pods()).flatMap(({ uid, name, netns }) => {
      if ('problem' in netns) return [];
      return withNetnsAt(netns.path, () => showsClients(ips.get(uid) ?? [])) ? [] : [name];
    });
    if (cut.length === 0) return pass(`seen in ${counted(captured.length, 'pod')}`);
    const lost = `${cut.join(', ')}: the routing rule is gone, and no answer reaches a client`;
    return fail(lost, usualCause, remedy);
  },
};
