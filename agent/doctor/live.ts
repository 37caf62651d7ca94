// Checks of a running agent, by what it says over its control socket and by what can be seen from
// outside. Without an agent they are skipped: a machine may be looked at before it has one.
import { networkInterfaces } from 'node:os';
import { counted } from '#agent/base/counted.ts';
import { EXIT } from '#agent/base/codes.ts';
import { holderOf, isOfTidelock, listening } from '#agent/listeners.ts';
import type { Status } from '#agent/api/status.ts';
import { VERSION } from '#agent/version.ts';
import { rulesAsListed, rulesIn } from '#proxy/redirect/nftables.ts';
import { fail, pass, skip, warn, type Check } from './check.ts';
import type { Context } from './context.ts';

const agent: Check = {
  id: 'agent',
  title: 'running agent',
  explanation: {
    looksAt: 'Asks the agent over api.controlSocket who it is and of which version.',
    neededFor: 'The checks after this one are about what it does.',
    usualCause: 'An agent of another version runs, or it does not answer.',
    remedy: 'Restart the agent with this version; see its log.',
  },
  exit: EXIT.unreachable,
  needs: ['config'],
  run: async (context) => {
    const { usualCause, remedy } = agent.explanation;
    const status = await context.status();
    if (status === undefined) {
      return skip(`none answers on ${(await context.config()).api.controlSocket}`);
    }
    const { version, pid, uptimeMs } = status.agent;
    const text = `version ${version}, pid ${pid}, up for ${Math.round(uptimeMs / 1000)} s`;
    return version === VERSION
      ? pass(text)
      : warn(`${text}; this command is ${VERSION}`, usualCause, remedy);
  },
};

const verdict: Check = {
  id: 'verdict',
  title: 'attestation',
  explanation: {
    looksAt: 'The agent’s own verdict on this node and whether the cluster has admitted it.',
    neededFor: 'Peers open no lane to a node that is not affirming or only warned of.',
    usualCause:
      'A register differs from the enrolment, the TPM is gone, or the agent has just started.',
    remedy: 'Read the reason; the checks tpm, ak and pcrs say more.',
  },
  exit: EXIT.notVerified,
  needs: ['agent'],
  run: async (context) => {
    const { usualCause, remedy } = verdict.explanation;
    const { node } = await live(context);
    const text = `${node.verdict}${node.reason && `: ${node.reason}`}`;
    if (node.verdict !== 'affirming' && node.verdict !== 'warning') {
      return fail(text, usualCause, remedy);
    }
    return node.verdict === 'warning' || node.reason ? warn(text, usualCause, remedy) : pass(text);
  },
};

const dataPlane: Check = {
  id: 'data-plane',
  title: 'data plane',
  explanation: {
    looksAt: 'State, user and restarts of the data plane, and when the last epoch record came.',
    neededFor: 'It carries every connection.',
    usualCause: 'It cannot start (lanes.uid, memory), or ended because of a defect.',
    remedy: 'Its last words stand in the agent’s log as plane.* events.',
  },
  exit: EXIT.internal,
  needs: ['agent'],
  run: async (context) => {
    const { usualCause, remedy } = dataPlane.explanation;
    const { state, uid, workers, restarts } = (await live(context)).dataPlane;
    const text = `${state}, user ${uid}, ${workers} workers, ${restarts} restarts`;
    if (state !== 'running') return fail(text, usualCause, remedy);
    return restarts > 0 ? warn(text, usualCause, remedy) : pass(text);
  },
};

const pods: Check = {
  id: 'pods',
  title: 'captured pods',
  explanation: {
    looksAt:
      'Whether the agent has captured each pod, and whether the rules in the pod are those it loads, word by word as nft lists them.',
    neededFor: 'A pod without its rules talks past the lanes.',
    usualCause: 'Another program changed the rules, or the pod’s port 15001 is taken.',
    remedy:
      'The message names each pod; remove the rules (nft delete table inet tidelock in the pod) and restart the agent.',
  },
  exit: EXIT.notVerified,
  needs: ['agent', 'inventory', 'nftables'],
  run: async (context) => {
    const { usualCause, remedy } = pods.explanation;
    const { pods: seen } = await live(context);
    const expected = await rulesAsListed(context.run, (await context.config()).lanes);
    const faults = await Promise.all(
      (await context.pods()).map(async ({ uid, name, netns }) => {
        const pod = seen.find((each) => each.uid === uid);
        if (pod === undefined) return [`${name}: the agent does not know it yet`];
        if (!pod.captured) return [`${name}: not captured: ${pod.error ?? 'not tried yet'}`];
        if ('problem' in netns) return [`${name}: ${netns.problem}`];
        const rules = await rulesIn(context.run, netns.path);
        if (rules === undefined) return [`${name}: its rules are gone`];
        return rules === expected ? [] : [`${name}: its rules were changed`];
      }),
    );
    const wrong = faults.flat();
    return wrong.length === 0
      ? pass(`${counted(faults.length, 'pod')} captured, rules intact`)
      : fail(wrong.join('; '), usualCause, remedy);
  },
};

const peers: Check = {
  id: 'peers',
  title: 'peers',
  explanation: {
    looksAt:
      'Each peer: its verdict, whether a lane can be opened to it, and how far its clock is off.',
    neededFor: 'Lanes go to peers only.',
    usualCause: 'The peer has just started, its boot state changed, or its clock is off.',
    remedy: 'Run tidelock doctor on the node that is named.',
  },
  exit: EXIT.unreachable,
  needs: ['agent'],
  run: async (context) => {
    const { usualCause, remedy } = peers.explanation;
    const { peers: all, epochs } = await live(context);
    if (all.length === 0) return pass('none known; this is the only node so far');
    const faults = all.flatMap(({ node, sendChain, refused, reason, clockOffsetMs = 0 }) => [
      ...(sendChain === undefined ? [`${node}: ${reason || refused || 'no chain yet'}`] : []),
      ...(Math.abs(clockOffsetMs) > epochs.periodMs / 2
        ? [`${node}: its clock is ${(clockOffsetMs / 1000).toFixed(1)} s off`]
        : []),
    ]);
    return faults.length === 0
      ? pass(`${counted(all.length, 'peer')}, lanes can be opened to each`)
      : warn(faults.join('; '), usualCause, remedy);
  },
};

const lanePort: Check = {
  id: 'lane-port',
  title: 'lane port',
  explanation: {
    looksAt: 'Whether lanes.address is of this node and lanes.port is free or the agent’s own.',
    neededFor: 'Other nodes’ lanes arrive there.',
    usualCause: 'Another program listens on the port, or the address is another machine’s.',
    remedy:
      'Stop that program, or set lanes.address and lanes.port to what is free and of this node.',
  },
  exit: EXIT.missing,
  needs: ['config'],
  run: async (context) => {
    const { usualCause, remedy } = lanePort.explanation;
    const { address, port } = (await context.config()).lanes;
    const own = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
    if (!own.some((each) => each.address === address)) {
      return fail(`${address} is no address of this node`, usualCause, remedy);
    }
    const taken = (await listening()).find(
      (each) => each.port === port && [address, '0.0.0.0', '::'].includes(each.address),
    );
    if (taken === undefined) return pass(`${address} port ${port} is free`);
    const pid = await holderOf(taken.inode);
    if (pid !== undefined && (await isOfTidelock(pid))) {
      return pass(`${address} port ${port} is held by tidelock, pid ${pid}`);
    }
    return fail(
      `${address} port ${port} is held by ${pid === undefined ? 'another program' : `pid ${pid}`}`,
      usualCause,
      remedy,
    );
  },
};

/** The agent's status, for checks that need `agent`, which has had it. */
async function live(context: Context): Promise<Status> {
  const status = await context.status();
  if (status === undefined) throw new RangeError('the agent has just ended');
  return status;
}

export const LIVE_CHECKS: readonly Check[] = [lanePort, agent, verdict, dataPlane, pods, peers];
