// The course of a bench of lanes: what is started when, measured in which order, and ended. Subjects take
// turns in every run; what fails is reported, and the rest goes on. A stop ends it after the measurement
// under way, with what there is by then.
import { TidelockError, messageOf } from '#agent/base/errors.ts';
import { cleanLeftovers } from '#hwtest/rig/leftovers.ts';
import type { FigureName, Values } from './figures.ts';
import { startLanes, type LanesPlan } from './lanesBed.ts';
import { machineOf } from './machine.ts';
import { bulk, failure, newConnections, roundTrip, type Effort } from './measure.ts';
import { CIPHERS, COMPARED, MEMORY, ROTATION, type Measurement } from './measurements.ts';
import { measureMemory } from './memory.ts';
import { installPeers } from './packages.ts';
import { PLAIN_SUBJECTS, makePlainBed } from './plainBed.ts';
import { areRunning } from './processes.ts';
import { createProgress, type Progress } from './progress.ts';
import { benchResult, type BenchResult, type Failure, type Sample } from './result.ts';
import type { Subject } from './subject.ts';
import { CIPHER_VARIANTS, LANES, ROTATION_VARIANTS, lanesOfCheckout } from './variants.ts';

export interface CoursePlan {
  /** What asked for it. */
  readonly command: string;
  readonly runs: number;
  readonly effort: Effort;
  /** Its page gives no verdict. */
  readonly quick: boolean;
  /** Slots under load, all runs together. */
  readonly rotations: number;
  /** Names of subjects and of measurements; none: all. */
  readonly subjects: readonly string[];
  readonly only: readonly string[];
  /** Another checkout to measure beside this one. */
  readonly against: string | undefined;
  readonly probes: boolean;
  readonly stop: AbortSignal;
  readonly log: (line: string) => void;
}

/** Threads of each proxy: as many as the machines that CI has. */
const WORKERS = 2;
/**
 * Until a just-in-time compiler is done with code that each connection runs through once: 20,000 take a fifth
 * more CPU each than those after 100,000, from which on nothing moves.
 */
const WARM_CONNECTIONS = 100_000;
/** Whoever makes fewer a second than any subject could is measured as it is. */
const MAX_WARM_ROUNDS = 60;
/** What steps take besides measuring, for the time left. */
const SECONDS = { plain: 15, lanes: 25, memory: 18, warmUp: 3, compiled: 90 };

/** Everything that `--subjects` takes; variants of lanes come with `tidelock`. */
export const SUBJECT_NAMES: readonly string[] = [...PLAIN_SUBJECTS, LANES.name];

interface Stage {
  readonly measurements: readonly Measurement[];
  /** Lanes that are there in this stage only. */
  readonly variants: readonly LanesPlan[];
}

/** Errors: ROOT_REQUIRED, RIG_PREREQUISITE; RIG_PROGRAM when no subject can be started. */
export async function runCourse(plan: CoursePlan): Promise<BenchResult> {
  await installPeers(plan.log);
  await cleanLeftovers();
  return await new Course(plan).run();
}

class Course {
  readonly #plan: CoursePlan;
  readonly #progress: Progress;
  readonly #samples: Sample[] = [];
  readonly #failures: Failure[] = [];
  /** Every subject that was ever measured, in the order of the tables. */
  readonly #subjects: Subject[] = [];
  /** Those that run now. */
  #present: readonly Subject[] = [];
  readonly #warm = new Set<Subject>();

  constructor(plan: CoursePlan) {
    this.#plan = plan;
    this.#progress = createProgress(this.#plannedSeconds(), plan.log);
  }

  async run(): Promise<BenchResult> {
    await using rigs = new AsyncDisposableStack();
    await this.#startPlain(rigs);
    const lanes = this.#wants(LANES.name) ? [LANES, ...this.#againstPlans()] : [];
    await this.#startLanes(rigs, lanes);
    const [first] = this.#present;
    if (!first) throw this.#nothingToMeasure();
    const machine = await machineOf(first);
    await this.#measureMemory();
    for (const stage of this.#stages()) await this.#runStage(stage);
    return benchResult({
      command: this.#plan.command,
      quick: this.#plan.quick,
      machine,
      subjects: this.#subjects,
      samples: this.#samples,
      failures: this.#failures,
    });
  }

  #stages(): readonly Stage[] {
    const ofLanes: readonly Stage[] = [
      { measurements: [CIPHERS], variants: CIPHER_VARIANTS },
      { measurements: [ROTATION], variants: ROTATION_VARIANTS },
    ];
    return [
      { measurements: COMPARED, variants: [] },
      ...(this.#wants(LANES.name) ? ofLanes : []),
    ].flatMap(({ measurements, variants }) => {
      const chosen = measurements.filter(({ name }) => this.#measures(name));
      return chosen.length === 0 ? [] : [{ measurements: chosen, variants }];
    });
  }

  async #runStage({ measurements, variants }: Stage): Promise<void> {
    if (this.#plan.stop.aborted) return;
    const before = this.#present;
    await using rigs = new AsyncDisposableStack();
    await this.#startLanes(rigs, variants);
    await this.#warmUp();
    const { runs } = this.#plan;
    for (let run = 1; run <= runs; run += 1) {
      for (const measurement of measurements) await this.#measure(run, measurement);
    }
    this.#present = before;
  }

  async #measure(run: number, measurement: Measurement): Promise<void> {
    const { runs, effort, rotations, stop } = this.#plan;
    if (stop.aborted) return;
    const setting = { effort, rotations: rotations / runs, present: this.#present };
    const turns = this.#present.filter((subject) => takesPart(measurement, subject));
    const seconds = turns.length * measurement.seconds(setting);
    this.#progress.begin(`run ${run} of ${runs}: ${measurement.label}`, seconds);
    try {
      await using _ = await measurement.around?.(this.#present);
      // Each run begins with another subject, so that none always follows the same.
      for (const subject of rotated(turns, run)) {
        if (stop.aborted) return;
        await this.#note(run, subject, measurement.label, measurement.measure(subject, setting));
      }
    } catch (thrown) {
      this.#failed(run, 'all', measurement.label, thrown);
    }
  }

  async #measureMemory(): Promise<void> {
    if (!this.#measures(MEMORY)) return;
    const { effort, stop } = this.#plan;
    const step = 'memory of idle connections';
    this.#progress.begin(step, this.#present.length * SECONDS.memory);
    for (const subject of this.#present) {
      if (!stop.aborted) await this.#note(1, subject, step, measureMemory(subject, effort));
    }
  }

  /** Compilers, caches and pools know their work before anything is counted. */
  async #warmUp(): Promise<void> {
    const subjects = this.#present.filter((subject) => !this.#warm.has(subject));
    subjects.forEach((subject) => this.#warm.add(subject));
    this.#progress.begin('warming up', warmUpSeconds(subjects));
    for (const subject of subjects) {
      let made = 0;
      for (
        let round = 0;
        round < MAX_WARM_ROUNDS && made < this.#warmConnections(subject);
        round += 1
      ) {
        if (this.#plan.stop.aborted) return;
        made += await this.#warmUpRound(subject);
      }
    }
  }

  /** How many connections it made, and at least one: what fails here fails again where it is counted. */
  async #warmUpRound(subject: Subject): Promise<number> {
    const effort = { ...this.#plan.effort, connectionSeconds: 2, bulkSeconds: 1 };
    const connected = await newConnections(subject, effort).catch(() => undefined);
    await bulk(subject, 1, effort).catch(() => undefined);
    await roundTrip(subject, effort).catch(() => undefined);
    return 1 + effort.connectionSeconds * (connected?.connections ?? 0);
  }

  #warmConnections(subject: Subject): number {
    return isCompiledLate(subject) && !this.#plan.quick ? WARM_CONNECTIONS : 1;
  }

  async #note(run: number, subject: Subject, step: string, work: Promise<Values>): Promise<void> {
    try {
      const values = await work;
      // What was started anew meanwhile is not what was measured.
      if (!areRunning(subject.pids)) throw failure(subject, 'a process of it has ended');
      for (const [figure, value] of Object.entries(values) as [FigureName, number][]) {
        this.#samples.push({ run, subject: subject.name, figure, value });
      }
    } catch (thrown) {
      this.#failed(run, subject.name, step, thrown);
    }
  }

  #failed(run: number, subject: string, step: string, thrown: unknown): void {
    const hint = thrown instanceof TidelockError ? ` (${thrown.hint})` : '';
    this.#failures.push({ run, subject, step, message: `${messageOf(thrown)}${hint}` });
    this.#plan.log(`  ${subject}: ${messageOf(thrown)}`);
  }

  async #startPlain(rigs: AsyncDisposableStack): Promise<void> {
    if (!PLAIN_SUBJECTS.some((name) => this.#wants(name))) return;
    this.#progress.begin('starting what lanes are compared with', SECONDS.plain);
    const { rig, subjects } = await makePlainBed({
      wants: (name) => this.#wants(name),
      workers: WORKERS,
      log: (line) => this.#plan.log(`  ${line}`),
      failed: (subject, thrown) => this.#failed(0, subject, 'start', thrown),
    });
    rigs.use(rig);
    this.#add(subjects);
  }

  async #startLanes(rigs: AsyncDisposableStack, plans: readonly LanesPlan[]): Promise<void> {
    const { probes, log } = this.#plan;
    const options = { workers: WORKERS, probes, log: (line: string) => log(`  ${line}`) };
    for (const lanes of plans) {
      if (this.#plan.stop.aborted) return;
      this.#progress.begin(`starting ${lanes.label}`, SECONDS.lanes);
      try {
        const subject = await startLanes(lanes, options);
        rigs.use(subject.rig);
        this.#add([subject]);
      } catch (thrown) {
        this.#failed(0, lanes.name, 'start', thrown);
      }
    }
  }

  #add(subjects: readonly Subject[]): void {
    this.#subjects.push(...subjects);
    this.#present = [...this.#present, ...subjects];
  }

  #againstPlans(): readonly LanesPlan[] {
    const { against } = this.#plan;
    return against === undefined ? [] : [lanesOfCheckout(against)];
  }

  #wants(subject: string): boolean {
    const { subjects } = this.#plan;
    return subjects.length === 0 || subjects.includes(subject);
  }

  #measures(measurement: string): boolean {
    const { only } = this.#plan;
    return only.length === 0 || only.includes(measurement);
  }

  #plannedSeconds(): number {
    const { runs, effort, rotations } = this.#plan;
    const names = SUBJECT_NAMES.filter((name) => this.#wants(name));
    const more = this.#againstPlans().length;
    const stages = this.#stages().map(({ measurements, variants }) => {
      const measuring = measurements.map((each) => {
        const turns = names.filter((name) => each.of?.includes(name) ?? true).length;
        const setting = { effort, rotations: rotations / runs };
        return runs * (turns + more + variants.length) * each.seconds(setting);
      });
      return sum(measuring) + variants.length * (SECONDS.lanes + SECONDS.compiled);
    });
    const memory = this.#measures(MEMORY) ? (names.length + more) * SECONDS.memory : 0;
    const warmUp = names.length * SECONDS.warmUp + 2 * SECONDS.compiled;
    return SECONDS.plain + (1 + more) * SECONDS.lanes + memory + warmUp + sum(stages);
  }

  #nothingToMeasure(): TidelockError {
    return new TidelockError('RIG_PROGRAM', {
      op: 'bench.lanes',
      message: 'Cannot measure anything: no subject could be started',
      hint: this.#failures.map(({ subject, message }) => `${subject}: ${message}`).join('; '),
    });
  }
}

const takesPart = ({ of }: Measurement, { name, kind }: Subject): boolean =>
  kind === 'variant' || (of?.includes(name) ?? true);

/** Code of Node, of this project or not. */
const isCompiledLate = ({ kind }: Subject): boolean =>
  kind === 'relay' || kind === 'lanes' || kind === 'variant';

const warmUpSeconds = (subjects: readonly Subject[]): number =>
  sum(subjects.map((each) => (isCompiledLate(each) ? SECONDS.compiled : SECONDS.warmUp)));

const sum = (values: readonly number[]): number => values.reduce((total, each) => total + each, 0);

const rotated = <T>(all: readonly T[], by: number): readonly T[] => {
  const at = by % Math.max(all.length, 1);
  return [...all.slice(at), ...all.slice(0, at)];
};
