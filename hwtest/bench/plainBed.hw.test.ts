import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '#agent/base/run.ts';
import { roundTrip, type Effort } from './measure.ts';
import { withoutOffloads } from './offloads.ts';
import { installPeers } from './packages.ts';
import { PLAIN_SUBJECTS, makePlainBed, type PlainBed } from './plainBed.ts';
import type { Subject } from './subject.ts';
import { wg } from './wireguard.ts';

const EFFORT: Effort = {
  bulkSeconds: 1,
  connectionSeconds: 1,
  requestSeconds: 1,
  roundTrips: 100,
};
/** What roundTrip() sends at least, 1 KiB each; how many more its warm-up sends depends on the machine. */
const SENT_BYTES = EFFORT.roundTrips << 10;

let bed: PlainBed;
const failed: string[] = [];
beforeAll(async () => {
  await installPeers(() => undefined);
  bed = await makePlainBed({
    wants: () => true,
    workers: 1,
    log: () => undefined,
    failed: (subject, thrown) => failed.push(`${subject}: ${String(thrown)}`),
  });
});
afterAll(() => bed?.rig.close());

const subject = (name: string): Subject => {
  const found = bed.subjects.find((each) => each.name === name);
  if (!found) throw new RangeError(`no ${name}`);
  return found;
};

describe('makePlainBed()', () => {
  it('starts all that is wanted, and each carries requests', async () => {
    expect(failed).toEqual([]);
    expect(bed.subjects.map(({ name }) => name)).toEqual(PLAIN_SUBJECTS);
    for (const each of bed.subjects) {
      expect((await roundTrip(each, EFFORT)).p50Us, each.name).toBeGreaterThan(0);
    }
  });
});

describe('startWireguard()', () => {
  /** Bytes that node-a received and sent through its tunnel. */
  async function transfer(): Promise<readonly number[]> {
    const [pid = 0] = subject('wireguard').pids;
    const { stdout } = await wg(bed.rig.node('node-a'), pid, 'show', 'wg0', 'transfer');
    return stdout.toString().trim().split('\t').slice(1).map(Number);
  }

  it('carries what its pair sends, both ways, and nothing of others', async () => {
    const [received = 0, sent = 0] = await transfer();
    await roundTrip(subject('direct'), EFFORT);
    const [receivedAside = 0, sentAside = 0] = await transfer();
    expect(receivedAside + sentAside - received - sent).toBeLessThan(SENT_BYTES / 10);
    await roundTrip(subject('wireguard'), EFFORT);
    const [receivedAfter = 0, sentAfter = 0] = await transfer();
    expect(receivedAfter - receivedAside).toBeGreaterThan(SENT_BYTES);
    expect(sentAfter - sentAside).toBeGreaterThan(SENT_BYTES);
  });
});

describe('withoutOffloads()', () => {
  /** A veth of each namespace that has no eth0. */
  const LINKS: Readonly<Record<string, string>> = { switch: 'n1' };
  /** The states that there are in any namespace. */
  const segmentation = async (): Promise<readonly string[]> => {
    const { dir } = bed.rig;
    const found = new Set<string>();
    for (const name of readdirSync(`${dir}/ns`)) {
      const argv = ['nsenter', `--net=${dir}/ns/${name}`, '--', 'ethtool', '-k'] as const;
      const { stdout } = await run([...argv, LINKS[name] ?? 'eth0']);
      stdout
        .toString()
        .match(/^(tcp|generic)-segmentation-offload: \w+/gm)
        ?.forEach((each) => found.add(each));
    }
    return [...found];
  };

  it('switches segmentation off in every namespace, and puts it back', async () => {
    const on = ['tcp-segmentation-offload: on', 'generic-segmentation-offload: on'];
    expect(await segmentation()).toEqual(on);
    {
      await using _ = await withoutOffloads([bed.rig]);
      expect(await segmentation()).toEqual(on.map((each) => each.replace(/on$/, 'off')));
    }
    expect(await segmentation()).toEqual(on);
  });
});
