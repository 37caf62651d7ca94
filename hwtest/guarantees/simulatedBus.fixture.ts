// A bus in memory that stands in for NATS where time is simulated: what is stored is stored at once, what is said arrives
// late, out of order, twice or never. A node can be cut off; all that is stored can be lost, or be again what it once was.
import { jcs, type Json } from '#agent/base/jcs.ts';
import type { Bus, BusOptions, Heard } from '#agent/epochs/bus.ts';
import { unreachable } from '#agent/epochs/busAccess.ts';
import type { SimulatedTime } from './simulatedTime.fixture.ts';

interface Stored {
  readonly subject: string;
  readonly text: string;
  readonly id: string | undefined;
}

interface Streams {
  readonly messages: Map<string, Stored[]>;
  readonly values: Map<string, { readonly text: string; readonly revision: number }>;
}

interface Ear {
  readonly node: string;
  readonly subject: string;
  readonly handler: (message: Heard) => void;
}

interface Responder {
  readonly node: string;
  readonly subject: string;
  readonly handler: (value: unknown, asked: string) => Promise<Json | undefined>;
}

/** How badly messages travel; all chances from 0 to 1. */
export interface Weather {
  readonly lost: number;
  readonly twice: number;
  readonly lateMs: number;
}

/** Those who were connected are back after at most this long, each after a time of its own. */
const RECONNECT_MS = 2000;

/** As on a real bus: the JCS of its JSON. */
const textOf = (value: Json): string => Buffer.from(jcs(value)).toString();

export class SimulatedBus {
  readonly #time: SimulatedTime;
  readonly #random: () => number;
  readonly #layout: Pick<BusOptions, 'streams' | 'buckets'>;
  readonly #ears = new Set<Ear>();
  readonly #responders = new Set<Responder>();
  readonly #cut = new Set<string>();
  /** Who connects again in a moment, and how to forget that. */
  readonly #returning = new Map<string, () => void>();
  /** The handle of a node that counts; that of a process which is gone does nothing. */
  readonly #lives = new Map<string, symbol>();
  readonly #connected = new Map<string, (() => void)[]>();
  #stored: Streams = { messages: new Map(), values: new Map() };
  #revision = 0;
  weather: Weather = { lost: 0, twice: 0, lateMs: 1 };

  constructor(
    time: SimulatedTime,
    layout: Pick<BusOptions, 'streams' | 'buckets'>,
    random: () => number,
  ) {
    this.#time = time;
    this.#layout = layout;
    this.#random = random;
  }

  cut(node: string): void {
    this.#cut.add(node);
  }

  heal(node: string): void {
    if (this.#cut.delete(node) && !this.#returning.has(node)) this.#connect(node);
  }

  /** What is stored now; the function that is returned has the bus start with it, as from an old backup. */
  backUp(): () => void {
    const backup = copyOf(this.#stored);
    return () => this.#startWith(copyOf(backup));
  }

  /** The bus starts with nothing. */
  loseAll(): void {
    this.#startWith({ messages: new Map(), values: new Map() });
  }

  #startWith(stored: Streams): void {
    this.#stored = stored;
    for (const node of this.#connected.keys()) {
      this.#returning.get(node)?.();
      const back = this.#time.after(this.#random() * RECONNECT_MS, () => {
        this.#returning.delete(node);
        if (!this.#cut.has(node)) this.#connect(node);
      });
      this.#returning.set(node, back);
    }
  }

  #connect(node: string): void {
    for (const callback of this.#connected.get(node) ?? []) callback();
  }

  #isHere(node: string): boolean {
    return this.#lives.has(node) && !this.#cut.has(node) && !this.#returning.has(node);
  }

  /** Takes a key out of a bucket, as if nobody had put it there. */
  forget(bucket: string, key: string): void {
    this.#stored.values.delete(`${bucket}/${key}`);
  }

  /** The node is gone: it hears nothing any more. */
  remove(node: string): void {
    for (const ear of this.#ears) if (ear.node === node) this.#ears.delete(ear);
    for (const each of this.#responders) if (each.node === node) this.#responders.delete(each);
    this.#connected.delete(node);
    this.#cut.delete(node);
    this.#returning.get(node)?.();
    this.#returning.delete(node);
    this.#lives.delete(node);
  }

  of(node: string): Bus {
    const life = Symbol(node);
    this.#lives.set(node, life);
    const isHere = (): boolean => this.#lives.get(node) === life && this.#isHere(node);
    const streamOf = (name: string): readonly Stored[] =>
      isHere() ? (this.#stored.messages.get(name) ?? []) : [];
    return {
      get connected() {
        return isHere();
      },
      get server() {
        return isHere() ? 'simulated bus' : undefined;
      },
      problem: undefined,
      onConnect: (callback) => {
        this.#connected.set(node, [...(this.#connected.get(node) ?? []), callback]);
        if (isHere()) callback();
      },
      subscribe: (subject, _maxBytes, handler) => {
        const ear = { node, subject, handler };
        this.#ears.add(ear);
        return () => this.#ears.delete(ear);
      },
      respond: (subject, handler) => {
        const responder = { node, subject, handler };
        this.#responders.add(responder);
        return () => this.#responders.delete(responder);
      },
      request: async (subject, value) => {
        const found = [...this.#responders].find(
          (each) => this.#isHere(each.node) && matches(each.subject, subject),
        );
        const heard = JSON.parse(textOf(value)) as unknown;
        const answer = isHere() ? await found?.handler(heard, subject) : undefined;
        if (answer === undefined) throw unreachable(new Error('no responders'), []);
        return JSON.parse(textOf(answer)) as unknown;
      },
      publish: (subject, value, id) => {
        if (isHere()) this.#publish({ subject, text: textOf(value), id });
        return Promise.resolve(isHere());
      },
      last: (stream, subject) => {
        const found = streamOf(stream).findLast((each) => each.subject === subject);
        return Promise.resolve(found && (JSON.parse(found.text) as unknown));
      },
      count: (stream) => Promise.resolve(isHere() ? streamOf(stream).length : undefined),
      subjects: (stream, count) =>
        Promise.resolve(
          isHere()
            ? [...new Set(streamOf(stream).map(({ subject }) => subject))].slice(0, count)
            : undefined,
        ),
      history: async function* (stream, count) {
        if (!isHere()) throw unreachable(new Error('not connected'), []);
        for (const { text } of streamOf(stream).slice(-count).toReversed()) {
          yield JSON.parse(text) as unknown;
        }
      },
      get: (bucket, key) => {
        const found = isHere() ? this.#stored.values.get(`${bucket}/${key}`) : undefined;
        return Promise.resolve(
          found && { value: JSON.parse(found.text) as unknown, revision: found.revision },
        );
      },
      put: (bucket, key, value) =>
        Promise.resolve(isHere() && this.#put(`${bucket}/${key}`, textOf(value)) > 0),
      swap: (bucket, key, value, revision) => {
        const at = `${bucket}/${key}`;
        const isNext = this.#stored.values.get(at)?.revision === revision;
        return Promise.resolve(isHere() && isNext ? this.#put(at, textOf(value)) : undefined);
      },
      close: () => {
        if (this.#lives.get(node) === life) this.remove(node);
        return Promise.resolve();
      },
    };
  }

  #put(at: string, text: string): number {
    this.#revision += 1;
    this.#stored.values.set(at, { text, revision: this.#revision });
    return this.#revision;
  }

  #publish(message: Stored): void {
    const stream = this.#layout.streams.find(({ subjects = [] }) =>
      subjects.some((subject) => matches(subject, message.subject)),
    );
    if (stream) this.#store(stream.name, stream.max_msgs_per_subject ?? Infinity, message);
    for (const ear of this.#ears) {
      if (!matches(ear.subject, message.subject) || this.#random() < this.weather.lost) continue;
      const times = this.#random() < this.weather.twice ? 2 : 1;
      for (let i = 0; i < times; i += 1) {
        this.#time.after(1 + this.#random() * this.weather.lateMs, () => {
          const hears = this.#ears.has(ear) && this.#isHere(ear.node);
          if (hears) ear.handler(heardOf(message.text));
        });
      }
    }
  }

  #store(name: string, perSubject: number, message: Stored): void {
    const before = this.#stored.messages.get(name) ?? [];
    if (message.id !== undefined && before.some(({ id }) => id === message.id)) return;
    const same = before.filter(({ subject }) => subject === message.subject);
    const dropped = new Set(same.slice(0, Math.max(0, same.length + 1 - perSubject)));
    this.#stored.messages.set(name, [...before.filter((each) => !dropped.has(each)), message]);
  }
}

const heardOf = (text: string): Heard => ({
  lenBytes: Buffer.byteLength(text),
  read: () => JSON.parse(text) as unknown,
});

const copyOf = ({ messages, values }: Streams): Streams => ({
  messages: new Map(messages),
  values: new Map(values),
});

/** NATS wildcards, as far as agents use them. */
function matches(pattern: string, subject: string): boolean {
  const [wanted, given] = [pattern.split('.'), subject.split('.')];
  return (
    wanted.length === given.length &&
    wanted.every((token, i) => token === '*' || token === given[i])
  );
}
