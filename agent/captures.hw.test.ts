// Two real network namespaces as pods; what the inventory says of them changes, and the agent stops.
import { statSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '#agent/base/clock.ts';
import type { SpiffeId } from '#agent/base/brands.ts';
import { run } from '#agent/base/run.ts';
import type { Inventory, LocalPodSpec } from '#agent/inventory/inventory.ts';
import { roleKey } from '#proxy/control.ts';
import { BY_DEFAULT } from '#proxy/redirect/plaintext.fixture.ts';
import { NO_COUNTS, RuleCounters } from '#proxy/redirect/ruleCounters.ts';
import { Captures } from './captures.ts';
import { createLog } from './log.ts';

const NAMES = [`tlp${process.pid}a`, `tlp${process.pid}b`] as const;
const addressOf = (name: string): string => (name === NAMES[0] ? '10.81.0.2' : '10.81.0.3');

function spec(name: string, uid = name): LocalPodSpec {
  const path = `/run/netns/${name}`;
  return {
    uid,
    namespace: 'default',
    name,
    serviceAccount: 'default',
    spiffeId: `spiffe://example.org/c/default/${name}` as SpiffeId,
    labels: {},
    ips: [addressOf(name)],
    netns: { path, id: `${statSync(path).ino}` },
  };
}

class TestInventory implements Inventory {
  #pods: readonly LocalPodSpec[] = NAMES.map((name) => spec(name));
  #changed: () => void = () => undefined;

  pods(): readonly LocalPodSpec[] {
    return this.#pods;
  }
  services(): [] {
    return [];
  }
  problem(): undefined {
    return undefined;
  }
  onChange(callback: () => void): () => void {
    this.#changed = callback;
    return () => undefined;
  }
  close(): void {
    // nothing is open
  }
  say(pods: readonly LocalPodSpec[]): void {
    this.#pods = pods;
    this.#changed();
  }
}

/** Rules and routing of a namespace; `undefined`: nothing of tidelock. */
async function rulesIn(name: string): Promise<string | undefined> {
  const inside = ['ip', 'netns', 'exec', name] as const;
  const ruleset = (await run([...inside, 'nft', 'list', 'ruleset'])).stdout.toString();
  const rules = (await run([...inside, 'ip', 'rule'])).stdout.toString();
  const redirects = ruleset.includes('redirect to');
  const routes = ruleset.includes('chain clients') && rules.includes('15008');
  if (redirects && routes) return 'redirect and clients';
  if (routes) return 'clients';
  return ruleset === '' && !rules.includes('15008') ? undefined : `${ruleset}${rules}`;
}

describe('Captures', () => {
  let inventory: TestInventory;
  let captures: Captures;
  let served: Set<string>;
  /** What stood in the first pod at each change that was told. */
  let seen: Promise<string | undefined>[];

  beforeEach(async () => {
    for (const name of NAMES) {
      await run(['ip', 'netns', 'add', name]);
      const commands = [
        'link set lo up',
        'link add eth0 type veth peer away',
        'link set away up',
        `addr add ${addressOf(name)}/24 dev eth0`,
        'link set eth0 up',
        'route add default via 10.81.0.1',
      ];
      await run(['ip', '-n', name, '-batch', '-'], { input: commands.join('\n') });
    }
    inventory = new TestInventory();
    served = new Set();
    seen = [];
  });
  afterEach(async () => {
    await captures.close();
    await captures.forget();
    await Promise.all(seen);
    for (const name of NAMES) await run(['ip', 'netns', 'delete', name]);
  });

  async function start(onStop: 'closed' | 'open' = 'closed'): Promise<void> {
    captures = new Captures({
      inventory,
      plaintext: BY_DEFAULT,
      sourceAddress: 'preserve',
      onStop,
      run,
      clock: systemClock,
      log: createLog({ level: 'error', clock: systemClock, write: () => undefined }),
      listen: (role) => served.add(roleKey(role)),
      unlisten: (role) => served.delete(roleKey(role)),
      onChange: () => seen.push(rulesIn(NAMES[0])),
    });
    await captures.start();
  }

  test('start() captures every pod and shows its programs their clients', async () => {
    await start();
    expect(served).toEqual(new Set(NAMES.map((name) => `pod/${name}/4`)));
    expect(captures.pods()).toMatchObject(
      NAMES.map(() => ({ captured: true, sourceProblem: undefined })),
    );
    expect(await rulesIn(NAMES[0])).toBe('redirect and clients');
  });

  test('allCounts() keeps the last counts of a pod that hides them, and reads those of the others', async () => {
    await start();
    const said = (plainIn: number) => ({ ...NO_COUNTS, plainIn });
    const read = vi.spyOn(RuleCounters.prototype, 'read');
    try {
      read.mockReturnValueOnce(said(1)).mockReturnValueOnce(said(2));
      expect(captures.allCounts()).toEqual(said(3));
      const hide = (): never => {
        throw new RangeError('netlink: error 13');
      };
      read.mockImplementationOnce(hide).mockReturnValueOnce(said(5));
      expect(captures.allCounts()).toEqual(said(6));
    } finally {
      read.mockRestore();
    }
  });

  test('a pod that leaves the inventory is freed at once, and of what live lanes need when they are cut', async () => {
    await start();
    seen = [];
    inventory.say([spec(NAMES[1])]);
    await vi.waitFor(() => expect(seen).toHaveLength(2), { timeout: 5000 });
    expect(await Promise.all(seen)).toEqual(['clients', undefined]);
    expect(served).toEqual(new Set([`pod/${NAMES[1]}/4`]));
  });

  test('another pod in the same place is captured after the one before has been forgotten', async () => {
    await start();
    seen = [];
    inventory.say([spec(NAMES[0], 'next'), spec(NAMES[1])]);
    await vi.waitFor(() => expect(seen).toHaveLength(2), { timeout: 5000 });
    expect(await Promise.all(seen)).toEqual(['clients', 'redirect and clients']);
    expect(await captures.rules('next')).toBe('intact');
  });

  test('close() with onStop open frees pods, and forget() leaves nothing of them', async () => {
    await start('open');
    await captures.close();
    expect(await rulesIn(NAMES[0])).toBe('clients');
    await captures.forget();
    expect(await rulesIn(NAMES[0])).toBeUndefined();
  });

  test('close() with onStop closed leaves pods cut off', async () => {
    await start();
    await captures.close();
    await captures.forget();
    expect(await rulesIn(NAMES[0])).toBe('redirect and clients');
  });
});
