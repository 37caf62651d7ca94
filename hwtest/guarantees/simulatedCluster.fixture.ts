// Three nodes in simulated time: whole epoch planes as an agent wires them, on a bus in memory, and what holds among them.
import type { NodeName } from '#agent/base/brands.ts';
import { LEASE_KEY } from '#agent/epochs/busLease.ts';
import {
  BUS_LAYOUT,
  BUS_PERIOD_MS,
  SUBJECTS,
  startAgent,
  type AgentOnBus,
} from '#hwtest/virtual/agentOnBus.ts';
import { SimulatedBus, type Weather } from './simulatedBus.fixture.ts';
import { SimulatedTime, type NodeClock } from './simulatedTime.fixture.ts';

export const NODES = ['node-1', 'node-2', 'node-3'] as NodeName[];
const START_MS = Date.UTC(2026, 0, 1);

export class SimulatedCluster {
  readonly #agents = new Map<NodeName, AgentOnBus>();
  readonly #clocks = new Map<NodeName, NodeClock>();
  readonly #time: SimulatedTime;
  readonly bus: SimulatedBus;
  readonly #offsets: readonly number[];
  readonly #countsSleep: boolean;
  /** How far wall clocks were set forward since, milliseconds. */
  readonly #steps = new Map<NodeName, number>();
  /** Nobody has forgotten anything, neither a node nor the bus, and nobody missed what was said while he was there. */
  #isOfOneCourse = true;
  #restore: () => void;

  /** `countsSleep`: kernels know how long they slept; that of a paused virtual machine does not. */
  constructor(offsets: readonly number[], random: () => number, countsSleep = true) {
    this.#offsets = offsets;
    this.#countsSleep = countsSleep;
    this.#time = new SimulatedTime(START_MS, () => this.#settled());
    this.bus = new SimulatedBus(this.#time, BUS_LAYOUT, random);
    this.#restore = this.bus.backUp();
    for (const node of NODES) this.start(node);
  }

  async #settled(): Promise<void> {
    for (const { plane } of this.#agents.values()) await plane.settled();
    await new Promise(setImmediate);
    for (const { plane } of this.#agents.values()) await plane.settled();
  }

  start(node: NodeName): void {
    const clock = this.#time.clock(
      () => (this.#offsets[NODES.indexOf(node)] ?? 0) + (this.#steps.get(node) ?? 0),
    );
    this.#clocks.set(node, clock);
    const agent = startAgent(node, this.bus.of(node), clock, {
      ...(this.#countsSleep && { asleepMs: clock.asleepMs }),
      lanePort: () => 15_008,
      drawn: () => undefined,
      changed: () => undefined,
    });
    this.#agents.set(node, agent);
  }

  /** As after kill -9: without a key, and without a word to anybody. */
  async restart(node: NodeName): Promise<void> {
    this.#isOfOneCourse = false;
    this.bus.remove(node);
    await this.#agents.get(node)?.close();
    this.start(node);
  }

  /** Somebody sets the wall clock of a node; 0: right again. */
  setClock(node: NodeName, aheadMs: number): void {
    this.#steps.set(node, aheadMs);
  }

  /** A machine sleeps: it hears and does nothing, and its clocks stand still. */
  async sleep(node: NodeName, slots: number): Promise<void> {
    this.cutOff(node);
    this.#clocks.get(node)?.stop();
    for (let half = 0; half < 2 * slots; half += 1) await this.#time.advance(BUS_PERIOD_MS / 2);
    this.#clocks.get(node)?.goOn();
    this.bus.heal(node);
  }

  backUp(): void {
    this.#restore = this.bus.backUp();
  }

  /** The bus starts with what it held at the last backUp(), or with nothing. */
  restore(): void {
    this.#isOfOneCourse = false;
    this.#restore();
  }

  setWeather(weather: Weather): void {
    if (weather.lost > 0) this.#isOfOneCourse = false;
    this.bus.weather = weather;
  }

  /** One that is cut off may not hear that the other has heard of its new statement. */
  cutOff(node: NodeName): void {
    this.#isOfOneCourse = false;
    this.bus.cut(node);
  }

  loseAll(): void {
    this.#isOfOneCourse = false;
    this.bus.loseAll();
  }

  loseLease(): void {
    this.#isOfOneCourse = false;
    this.bus.forget(SUBJECTS.buckets.lease, LEASE_KEY);
  }

  /**
   * Errors: Error as soon as somebody would send on what its peer does not hold, or under a statement that it has
   * dropped.
   */
  async pass(slots: number): Promise<void> {
    for (let half = 0; half < 2 * slots; half += 1) await this.#passHalf();
  }

  /** Until all can send to all on one chain, for `slots` at most; what is missing then. */
  async inStep(slots: number): Promise<string[]> {
    for (let half = 0; half < 2 * slots && this.#missing().length > 0; half += 1) {
      await this.#passHalf();
    }
    return this.#missing();
  }

  async #passHalf(): Promise<void> {
    await this.#time.advance(BUS_PERIOD_MS / 2);
    this.#checkShared();
  }

  #checkShared(): void {
    for (const sender of this.#agents.values()) {
      for (const receiver of this.#agents.values()) {
        const choice = sender === receiver ? undefined : choiceOf(sender, receiver.node);
        const isOfNow = choice && receiver.own.find(choice.peerSid) !== undefined;
        if (isOfNow && receiver.keeper.get(choice.chainId) === undefined) {
          throw new Error(
            `${sender.node} would send to ${receiver.node} on ${choice.chainId}, which is not held there`,
          );
        }
        const accepted = receiver.peers.get(sender.node)?.accepted ?? [];
        const isKnown = accepted.some(({ statement }) => statement.sid === choice?.ownSid);
        if (isOfNow && this.#isOfOneCourse && accepted.length > 0 && !isKnown) {
          throw new Error(
            `${sender.node} would speak to ${receiver.node} under ${choice.ownSid}, which is dropped there`,
          );
        }
      }
    }
  }

  #missing(): string[] {
    const newest = new Set([...this.#agents.values()].map(({ keeper }) => keeper.chains()[0]?.id));
    return [...(newest.size === 1 ? [] : [`${newest.size} newest chains`]), ...this.cut()];
  }

  /** Who cannot open a lane to whom. */
  cut(): string[] {
    return [...this.#agents.values()].flatMap((sender) =>
      NODES.filter((node) => node !== sender.node && !choiceOf(sender, node)).map(
        (node) => `${sender.node} cannot send to ${node}`,
      ),
    );
  }

  async close(): Promise<void> {
    for (const agent of this.#agents.values()) await agent.close();
  }
}

/** On which chain, of those that the peer's present word confirms, a lane would be opened. */
function choiceOf(from: AgentOnBus, to: NodeName) {
  const { peers, own, keeper } = from;
  const state = peers.get(to);
  if (!state?.presence) return undefined;
  const nowMs = from.timeMs();
  const choice = peers.choose(state, own.listed, keeper.sendable(nowMs), nowMs);
  return 'refused' in choice ? undefined : choice;
}

/** Numbers from 0 to 1 that a seed says (mulberry32). */
export function numbersOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
