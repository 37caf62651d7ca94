// Segmentation offloads of every veth of a rig, switched off for a measurement and put back as they were.
// With them a packet of 64 KiB crosses the machine whole, which no network card does.
import { readdirSync } from 'node:fs';
import { run } from '#agent/base/run.ts';
import type { Rig } from '#hwtest/rig/rig.ts';

/** As ethtool(8) shows and sets them. */
const FEATURES = {
  'tcp-segmentation-offload': 'tso',
  'generic-segmentation-offload': 'gso',
  'generic-receive-offload': 'gro',
} as const;

/** Switches them off on all rigs; disposing puts each back. Errors: those of `run`. */
export async function withoutOffloads(rigs: readonly Rig[]): Promise<AsyncDisposable> {
  const undo: (() => Promise<unknown>)[] = [];
  const putBack = async (): Promise<void> => {
    for (const each of undo) await each();
  };
  try {
    for (const { dir } of rigs) {
      for (const name of readdirSync(`${dir}/ns`)) await switchOff(`${dir}/ns/${name}`, undo);
    }
  } catch (thrown) {
    await putBack();
    throw thrown;
  }
  return { [Symbol.asyncDispose]: putBack };
}

async function switchOff(netns: string, undo: (() => Promise<unknown>)[]): Promise<void> {
  const inside = ['nsenter', `--net=${netns}`, '--'] as const;
  const links = await run([...inside, 'ip', '-o', 'link', 'show', 'type', 'veth']);
  for (const [, device = ''] of links.stdout.toString().matchAll(/^\d+: ([^@:]+)/gm)) {
    const shown = await run([...inside, 'ethtool', '-k', device]);
    const on = Object.entries(FEATURES).flatMap(([feature, short]) =>
      new RegExp(`^${feature}: on$`, 'm').test(shown.stdout.toString()) ? [short] : [],
    );
    if (on.length === 0) continue;
    const set = (state: 'on' | 'off'): Promise<unknown> =>
      run([...inside, 'ethtool', '-K', device, ...on.flatMap((short) => [short, state])]);
    undo.push(() => set('on'));
    await set('off');
  }
}
