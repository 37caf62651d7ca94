// `tidelock uninstall`: removes from this host what tidelock made on it and, with --verify, shows by a
// second inventory that nothing is left. It never removes an owner's key and stops no agent unasked.
import { systemClock } from '#agent/base/clock.ts';
import { EXIT } from '#agent/base/codes.ts';
import { TidelockError } from '#agent/base/errors.ts';
import { run } from '#agent/base/run.ts';
import { openContext } from '#agent/doctor/context.ts';
import { takeInventory } from '#agent/uninstall/inventory.ts';
import { removeTraces, type Removed } from '#agent/uninstall/removal.ts';
import { requireStopped } from '#agent/uninstall/stopped.ts';
import { tracesText } from '#agent/uninstall/text.ts';
import type { Trace } from '#agent/uninstall/trace.ts';
import { CONFIG_FLAGS, configSources } from './configFlags.ts';
import { printResult } from './output.ts';
import { usage } from './arguments.ts';
import { defineVerb } from './verb.ts';

/** `tidelock uninstall`. */
export const uninstall = defineVerb({
  name: 'uninstall',
  flags: {
    ...CONFIG_FLAGS,
    verify: {
      type: 'boolean',
      help: 'look again afterwards; exit 1 and a list if anything is left',
    },
    'dry-run': { type: 'boolean', help: 'only show what is there' },
    stop: { type: 'boolean', help: 'end the agent of this node first, gracefully' },
    yes: {
      type: 'boolean',
      help: 'remove also what is lost for good: enrolment, reports, TPM key',
    },
    'keep-state': { type: 'boolean', help: 'leave that in place' },
    everywhere: {
      type: 'boolean',
      help: 'look in every network namespace of this machine; not where it runs several nodes',
    },
  },
  about:
    'Removes from this host everything that tidelock made on it: rules and settings in pods, runtime files, the TPM key, state. Refuses while an agent runs. Never removes an owner’s key; messages on the bus stay.',
  example: 'tidelock uninstall --dry-run\ntidelock uninstall --stop --yes --verify',
  run: async (invocation) => {
    requireRoot();
    const { flags, terminal } = invocation;
    await using context = openContext({
      sources: configSources(flags, terminal),
      clock: systemClock,
      run,
      signal: terminal.stopSignal(),
    });
    const scope = { everywhere: flags.everywhere };
    const before = await takeInventory(context, scope);
    if (flags['dry-run']) {
      printResult(
        invocation,
        'Uninstall',
        { ok: true, traces: documents(before) },
        tracesText(before),
      );
      return EXIT.ok;
    }
    const { controlSocket } = (await context.config()).api;
    await requireStopped({ traces: before, controlSocket, stop: flags.stop });
    requireConsent(before, flags.yes, flags['keep-state']);
    const removed = await removeTraces(before, { keepState: flags['keep-state'] });
    const left = flags.verify
      ? (await takeInventory(context, scope)).filter(
          ({ presence, loses }) =>
            presence !== 'absent' && !(flags['keep-state'] && loses !== undefined),
        )
      : removed.filter(({ problem }) => problem !== undefined).map(({ trace }) => trace);
    const ok = left.length === 0;
    printResult(
      invocation,
      'Uninstall',
      { ok, verified: flags.verify, traces: removedDocuments(removed), left: documents(left) },
      [tracesText(before, removed), verdictText(left, flags.verify)].join('\n\n'),
    );
    return ok ? EXIT.ok : EXIT.internal;
  },
});

/** To anybody else other users' processes and namespaces look as if they were not there. */
function requireRoot(): void {
  if (process.getuid?.() === 0) return;
  throw new TidelockError('ROOT_REQUIRED', {
    op: 'uninstall',
    message: 'Cannot uninstall: not root',
    hint: 'Only root sees everything that could be left, and may remove it: run it with sudo.',
  });
}

function requireConsent(traces: readonly Trace[], yes: boolean, keepState: boolean): void {
  const lost = traces.filter(({ presence, loses }) => presence === 'there' && loses !== undefined);
  if (lost.length === 0 || yes || keepState) return;
  const listed = lost.map(({ where, loses }) => `${where} (${loses})`).join('; ');
  throw usage('uninstall', `this would be lost: ${listed}; give --yes or --keep-state`);
}

const documents = (traces: readonly Trace[]) =>
  traces.map(({ remove: _remove, ...trace }) => trace);

const removedDocuments = (removed: readonly Removed[]) =>
  removed.map(({ trace: { remove: _remove, ...trace }, ...rest }) => ({ ...trace, ...rest }));

function verdictText(left: readonly Trace[], verified: boolean): string {
  if (left.length > 0) return `left:\n${tracesText(left)}`;
  return verified ? 'verified: nothing of tidelock is left on this host' : 'done';
}
