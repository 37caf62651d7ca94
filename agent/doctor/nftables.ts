// Checks of the redirect: that nft and the kernel take the agent's real rules, and whether rules of an
// agent that no longer runs keep pods cut off.
import { EXIT } from '#agent/base/codes.ts';
import type { Plaintext } from '#proxy/redirect/ruleset.ts';
import { rulesAsListed, rulesIn } from '#proxy/redirect/nftables.ts';
import { fail, pass, skip, warn, type Check } from './check.ts';
import { installing, missingPrograms } from './programs.ts';

/** Settings under which each kind of rule is in the table: some kernel part may be missing for one. */
const EVERY_RULE: Plaintext = {
  inbound: 'refuse',
  inboundExcept: [{ network: '192.0.2.0/24', ports: [8080] }],
  udp: 'refuse',
  udpExcept: [{ network: '2001:db8::/32', ports: [53] }],
};

const PROGRAMS = ['nft', 'nsenter', 'unshare'];

const nftables: Check = {
  id: 'nftables',
  title: 'nftables',
  explanation: {
    looksAt:
      'Loads the agent’s own rules into a network namespace made for it, which ends with the check.',
    neededFor: 'Pods’ connections reach the agent by these rules.',
    usualCause:
      'The package nftables is missing, or the kernel lacks nf_tables, nft_fib_inet, nft_redir or nft_reject_inet.',
    remedy: installing(PROGRAMS),
  },
  exit: EXIT.missing,
  needs: [],
  run: async (context) => {
    const { usualCause, remedy } = nftables.explanation;
    const missing = await missingPrograms(PROGRAMS, context.env);
    if (missing.length > 0) {
      return fail(`${missing.join(', ')} not on the PATH`, usualCause, remedy);
    }
    await rulesAsListed(context.run, EVERY_RULE);
    return pass('the agent’s rules load');
  },
};

const leftovers: Check = {
  id: 'leftover-rules',
  title: 'rules of a dead agent',
  explanation: {
    looksAt: 'The table inet tidelock in each pod of the inventory, while no agent runs.',
    neededFor:
      'With lanes.onStop: closed a stopped agent leaves its rules, so that nothing leaves a pod in the clear: its pods are cut off until an agent runs again.',
    usualCause: 'The agent was stopped or killed.',
    remedy: 'Start the agent, which replaces the rules, or remove them with tidelock uninstall.',
  },
  exit: EXIT.internal,
  needs: ['inventory', 'nftables'],
  run: async (context) => {
    const { usualCause, remedy } = leftovers.explanation;
    if (await context.status()) return skip('an agent runs; the check pods looks at its rules');
    const names = (await context.pods()).flatMap(({ name, netns }) =>
      'path' in netns ? [{ name, path: netns.path }] : [],
    );
    const found = await Promise.all(
      names.map(async ({ name, path }) => ((await rulesIn(context.run, path)) ? [name] : [])),
    );
    const cutOff = found.flat();
    return cutOff.length === 0
      ? pass('none')
      : warn(`in ${cutOff.join(', ')}: these pods are cut off`, usualCause, remedy);
  },
};

export const REDIRECT_CHECKS: readonly Check[] = [nftables, leftovers];
