// The connection to NATS JetStream: for ever reconnecting, with jitter, and never trusted. It moves
// JSON values; what they mean and whether they are genuine is judged elsewhere.
import {
  jetstream,
  jetstreamManager,
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
  type StreamConfig,
} from '@nats-io/jetstream';
import { Kvm, type KV } from '@nats-io/kv';
import {
  connect,
  PermissionViolationError,
  type Msg,
  type NatsConnection,
  type Subscription,
} from '@nats-io/transport-node';
import { sleep, type Clock } from '#agent/base/clock.ts';
import { messageOf, type TidelockError } from '#agent/base/errors.ts';
import { jcs, type Json } from '#agent/base/jcs.ts';
import type { Log } from '#agent/log.ts';
import { connectionTo, serverOf, unreachable, type BusAccess } from './busAccess.ts';

export interface BusOptions extends BusAccess {
  /** Client name, as operators see it in `nats server report`. */
  readonly name: string;
  readonly streams: readonly (Partial<StreamConfig> & { readonly name: string })[];
  /** Each by the stream that NATS keeps it in. */
  readonly buckets: readonly {
    readonly name: string;
    readonly stream: Partial<StreamConfig> & { readonly name: string };
  }[];
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

export interface Revisioned {
  readonly value: unknown;
  readonly revision: number;
}

/** A message as it came. */
export interface Heard {
  readonly lenBytes: number;
  /** The JSON that it is; undefined: it is none. What that takes of memory can be many times `lenBytes`. */
  read(): unknown;
}

export interface Bus {
  readonly connected: boolean;
  /** `nats-server 2.9.10 at 198.18.0.2:4222`, while connected. */
  readonly server: string | undefined;
  /** The last reason for not being connected, for status. */
  readonly problem: TidelockError | undefined;
  /** Calls back at each (re)connect, after streams and buckets exist. */
  onConnect(callback: () => void): void;
  /**
   * Live messages only; `history` and `last` read what was kept. What is longer than `maxBytes` never
   * arrives. The function that is returned ends it.
   */
  subscribe(subject: string, maxBytes: number, handler: (message: Heard) => void): () => void;
  /** Answers requests while `handler` returns a value; `asked` is the subject of the request, without wildcards. */
  respond(
    subject: string,
    handler: (value: unknown, asked: string) => Promise<Json | undefined>,
  ): () => void;
  /** Errors: BUS_UNREACHABLE. */
  request(subject: string, value: Json, timeoutMs: number): Promise<unknown>;
  /** Stores a message; `id` lets the server drop a repetition. False when it was not stored. */
  publish(subject: string, value: Json, id?: string): Promise<boolean>;
  /** The newest stored message on a subject. */
  last(stream: string, subject: string): Promise<unknown>;
  /** How many messages a stream holds; undefined when the bus is away. */
  count(stream: string): Promise<number | undefined>;
  /**
   * Up to `count` of the subjects on which a stream holds something, of those that `filter` fits; undefined: it could
   * not be asked.
   */
  subjects(stream: string, count: number, filter?: string): Promise<readonly string[] | undefined>;
  /**
   * Up to `count` newest stored messages of a stream with one subject, newest first; those that are no JSON, or longer
   * than `maxBytes`, are left out. Errors: BUS_UNREACHABLE at the first call that is not answered, and when all of
   * them take longer than a minute.
   */
  history(stream: string, count: number, maxBytes: number): AsyncIterable<unknown>;
  get(bucket: string, key: string): Promise<Revisioned | undefined>;
  put(bucket: string, key: string, value: Json): Promise<boolean>;
  /** Compare-and-set: the new revision, or undefined when somebody else was first or the bus is away. */
  swap(
    bucket: string,
    key: string,
    value: Json,
    revision: number | undefined,
  ): Promise<number | undefined>;
  close(): Promise<void>;
}

const MAX_MESSAGE_BYTES = 1 << 20;
const CALL_TIMEOUT_MS = 3000;
/** Some hundred calls, one after the other, over a slow network. */
const HISTORY_TIMEOUT_MS = 60_000;
const RETRY_MIN_MS = 500;
const RETRY_SPREAD_MS = 1500;
/** Two unanswered pings at this interval mean a black hole, not a slow server. */
const PING_INTERVAL_MS = 5000;

/** JetStream error: wrong last sequence, which is what a lost compare-and-set looks like. */
const WRONG_LAST_SEQUENCE = 10071;

interface Session {
  readonly nc: NatsConnection;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  readonly buckets: ReadonlyMap<string, KV>;
}

interface Interest {
  readonly subject: string;
  readonly onMessage: (message: Msg) => void;
  subscription: Subscription | undefined;
}

export function openBus(options: BusOptions): Bus {
  const { clock, log } = options;
  const closing = new AbortController();
  const interests = new Set<Interest>();
  const connectCallbacks: (() => void)[] = [];
  let session: Session | undefined;
  let connected = false;
  let problem: TidelockError | undefined;

  const listen = (interest: Interest, nc: NatsConnection): void => {
    interest.subscription = nc.subscribe(interest.subject, {
      callback: (error, message) => {
        if (error === null) interest.onMessage(message);
      },
    });
  };

  const ready = async (nc: NatsConnection): Promise<void> => {
    const jsm = await jetstreamManager(nc, { timeout: CALL_TIMEOUT_MS });
    const js = jetstream(nc, { timeout: CALL_TIMEOUT_MS });
    for (const config of options.streams) await ensureStream(jsm, config);
    const kvm = new Kvm(js);
    const buckets = new Map<string, KV>();
    for (const { name, stream } of options.buckets) {
      await ensureStream(jsm, stream);
      buckets.set(name, await kvm.open(name, { allow_direct: stream.allow_direct ?? false }));
    }
    session = { nc, js, jsm, buckets };
    connected = true;
    problem = undefined;
    // Before anyone reads back what was missed, so that nothing falls between. A reconnection keeps them.
    for (const interest of interests) if (!interest.subscription) listen(interest, nc);
    log.info('bus.connected', { server: serverOf(nc) });
    for (const callback of connectCallbacks) callback();
  };

  /** The server goes on without it, and so does this node; an answer that came too late is no fault. */
  const refused = (cause: PermissionViolationError): void => {
    if (cause.subject.startsWith('_INBOX.')) return;
    const next = unreachable(cause, options.servers);
    if (next.message !== problem?.message) log.warn('bus.refused', { error: next });
    problem = next;
  };

  /** One connection from birth to its final close. */
  const live = async (): Promise<void> => {
    const nc = await connect({
      ...connectionTo(options),
      name: options.name,
      maxReconnectAttempts: -1,
      reconnectTimeWait: RETRY_MIN_MS,
      reconnectJitter: RETRY_SPREAD_MS,
      pingInterval: PING_INTERVAL_MS,
      maxPingOut: 2,
      timeout: CALL_TIMEOUT_MS,
      ignoreAuthErrorAbort: true,
    });
    try {
      await ready(nc);
      for await (const status of nc.status()) {
        if (status.type === 'disconnect' || status.type === 'staleConnection') {
          if (connected) log.warn('bus.disconnected', { server: serverOf(nc) });
          connected = false;
        } else if (status.type === 'reconnect') {
          await ready(nc);
        } else if (status.type === 'error' && status.error instanceof PermissionViolationError) {
          refused(status.error);
        }
      }
    } finally {
      connected = false;
      session = undefined;
      for (const interest of interests) interest.subscription = undefined;
      await nc.close();
    }
  };

  const forever = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      try {
        await live();
      } catch (cause) {
        if (closing.signal.aborted) return;
        const next = unreachable(cause, options.servers);
        if (next.message !== problem?.message) log.warn('bus.unreachable', { error: next });
        problem = next;
      }
      await sleep(clock, RETRY_MIN_MS + options.random() * RETRY_SPREAD_MS, closing.signal);
    }
  };
  const running = forever();

  const bucketOf = (name: string): KV | undefined =>
    connected ? session?.buckets.get(name) : undefined;
  const add = (subject: string, onMessage: Interest['onMessage']): (() => void) => {
    const interest: Interest = { subject, onMessage, subscription: undefined };
    interests.add(interest);
    if (session) listen(interest, session.nc);
    return () => {
      interest.subscription?.unsubscribe();
      interests.delete(interest);
    };
  };
  /** A bus that is away is an expected state: reads give nothing, and the caller asks again later. */
  const quietly = async <T>(what: string, call: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await call();
    } catch (cause) {
      log.debug('bus.call', { what, error: messageOf(cause) });
      return undefined;
    }
  };

  const stateOf = async (stream: string, ask?: { readonly subjects_filter: string }) => {
    const jsm = connected ? session?.jsm : undefined;
    return (await quietly('info', async () => jsm?.streams.info(stream, ask)))?.state;
  };

  return {
    get connected() {
      return connected;
    },
    get server() {
      return connected && session ? serverOf(session.nc) : undefined;
    },
    get problem() {
      return problem;
    },
    onConnect: (callback) => {
      connectCallbacks.push(callback);
      if (connected) callback();
    },
    subscribe: (subject, maxBytes, handler) =>
      add(subject, (message) => {
        if (message.data.length <= maxBytes) handler(heardOf(message.data));
      }),
    respond: (subject, handler) =>
      add(subject, (message) => {
        const value = decode(message.data);
        // Who asks names where the answer goes, and this node may say it anywhere: in an inbox it is nobody's word.
        if (value === undefined || !message.reply?.startsWith('_INBOX.')) return;
        void quietly('respond', async () => {
          const answer = await handler(value, message.subject);
          if (answer !== undefined) message.respond(jcs(answer));
        });
      }),
    request: async (subject, value, timeoutMs) => {
      if (!connected || !session) throw problem ?? unreachable('not connected', options.servers);
      try {
        const answer = await session.nc.request(subject, jcs(value), { timeout: timeoutMs });
        return decode(answer.data);
      } catch (cause) {
        throw unreachable(cause, options.servers);
      }
    },
    publish: async (subject, value, id) => {
      const live = connected ? session : undefined;
      if (!live) return false;
      const ack = await quietly('publish', () =>
        live.js.publish(subject, jcs(value), {
          timeout: CALL_TIMEOUT_MS,
          ...(id ? { msgID: id } : {}),
        }),
      );
      return ack !== undefined;
    },
    last: async (stream, subject) => {
      const live = connected ? session : undefined;
      if (!live) return undefined;
      const stored = await quietly('last', () =>
        live.jsm.direct.getMessage(stream, { last_by_subj: subject }),
      );
      return stored ? decode(stored.data) : undefined;
    },
    count: async (stream) => (await stateOf(stream))?.messages,
    subjects: async (stream, count, filter = '>') => {
      const state = await stateOf(stream, { subjects_filter: filter });
      return state && Object.keys(state.subjects ?? {}).slice(0, count);
    },
    history: async function* (stream, count, maxBytes) {
      const live = connected ? session : undefined;
      const state = await stateOf(stream);
      if (!live || !state) throw unreachable(`${stream} was not read`, options.servers);
      const { first_seq: first, last_seq: last } = state;
      const endsAtMs = clock.monoMs() + HISTORY_TIMEOUT_MS;
      for (let seq = last; seq >= Math.max(first, last - count + 1) && seq > 0; seq--) {
        const stored =
          clock.monoMs() <= endsAtMs
            ? await quietly('history', () => live.jsm.streams.getMessage(stream, { seq }))
            : undefined;
        // Null: no such message.
        if (stored === undefined) throw unreachable(`${stream} was not read`, options.servers);
        const value = stored && stored.data.length <= maxBytes ? decode(stored.data) : undefined;
        if (value !== undefined) yield value;
      }
    },
    get: async (bucket, key) => {
      const entry = await quietly('get', async () => bucketOf(bucket)?.get(key));
      if (!entry || entry.operation !== 'PUT') return undefined;
      const value = decode(entry.value);
      return value === undefined ? undefined : { value, revision: entry.revision };
    },
    put: async (bucket, key, value) =>
      (await quietly('put', async () => bucketOf(bucket)?.put(key, jcs(value)))) !== undefined,
    swap: async (bucket, key, value, revision) => {
      const kv = bucketOf(bucket);
      if (!kv) return undefined;
      try {
        return revision === undefined
          ? await kv.create(key, jcs(value))
          : await kv.update(key, jcs(value), revision);
      } catch (cause) {
        const lost = cause instanceof JetStreamApiError && cause.code === WRONG_LAST_SEQUENCE;
        if (!lost) log.debug('bus.call', { what: 'swap', error: messageOf(cause) });
        return undefined;
      }
    },
    close: async () => {
      closing.abort();
      const nc = session?.nc;
      connected = false;
      await new Promise(setImmediate); // what was unsubscribed in this turn is still to be written
      if (nc && !nc.isClosed()) await nc.close();
      await running;
    },
  };
}

async function ensureStream(
  jsm: JetStreamManager,
  config: Partial<StreamConfig> & { readonly name: string },
): Promise<void> {
  try {
    await jsm.streams.info(config.name);
  } catch {
    await jsm.streams.add(config); // another agent may have been first: add is idempotent
  }
}

/** A copy of its own: the library's buffer holds whatever came with it. */
function heardOf(data: Uint8Array): Heard {
  const bytes = new Uint8Array(data);
  return { lenBytes: bytes.length, read: () => decode(bytes) };
}

function decode(data: Uint8Array): unknown {
  if (data.length > MAX_MESSAGE_BYTES) return undefined;
  try {
    return JSON.parse(Buffer.from(data.buffer, data.byteOffset, data.length).toString()) as unknown;
  } catch {
    return undefined; // garbage on the bus is nobody's message
  }
}
