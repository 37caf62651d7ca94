// The inventory: everything that tidelock can make on a host, each with whether it is there now. Taken
// before and after a removal it is the proof that nothing is left.
import { messageOf } from '#agent/base/errors.ts';
import type { Context } from '#agent/doctor/context.ts';
import { fileTraces } from './files.ts';
import { everyNamespace, podNamespaces } from './namespaces.ts';
import { podTraces } from './pods.ts';
import { listenerTrace, processTraces } from './processes.ts';
import { unknownTrace, type Trace } from './trace.ts';

export interface Scope {
  /** Every network namespace of the machine, not only those of the inventory. */
  readonly everywhere: boolean;
}

/** In the order of removal: what runs, what redirects, what lies about, what is lost for good. */
export async function takeInventory(context: Context, scope: Scope): Promise<readonly Trace[]> {
  const { lanes } = await context.config();
  const parts = await Promise.all([
    processTraces(),
    listenerTrace(lanes.address, lanes.port).then((trace) => [trace]),
    redirectTraces(context, scope),
    context.config().then(fileTraces),
    keyTrace(context).then((trace) => [trace]),
  ]);
  return parts.flat();
}

async function redirectTraces(context: Context, scope: Scope): Promise<readonly Trace[]> {
  try {
    const namespaces = scope.everywhere ? await everyNamespace() : await podNamespaces(context);
    const traces = await Promise.all(namespaces.map((each) => podTraces(context.run, each)));
    return traces.flat();
  } catch (thrown) {
    const of = { kind: 'rules', what: 'nftables table inet tidelock', where: 'pods' } as const;
    return [unknownTrace(of, messageOf(thrown))];
  }
}

/** The one thing in the TPM (docs/decisions/0005). */
async function keyTrace(context: Context): Promise<Trace> {
  const handle = (await context.config()).tpm.akHandle;
  const of = {
    kind: 'tpm key',
    what: 'attestation key',
    where: `0x${handle.toString(16)}`,
  } as const;
  try {
    const tpm = await context.tpm();
    const there = (await tpm.findAk()) !== undefined;
    return {
      ...of,
      presence: there ? 'there' : 'absent',
      loses: 'the attestation key: the same one is made again from the same TPM seed',
      remove: () => tpm.removeAk(),
    };
  } catch (thrown) {
    return unknownTrace(of, messageOf(thrown));
  }
}
