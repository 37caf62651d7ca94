// A stand-in for a Kubernetes API server, for tests: real TLS, real paths, real bodies, and nothing behind them but
// maps in memory. It says in every answer that it is none. What it does not know it refuses, so that nobody takes
// it for more than it is.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import {
  makeAuthorityCertificate,
  makeServerCertificate,
} from '#agent/busAuthority/certificates.ts';
import { answerOf, type Fault } from './faults.ts';
import { LEASES } from './leases.ts';
import { Objects, Revisions } from './objects.ts';
import { allows, type Rule } from './rbac.ts';
import * as statuses from './statuses.ts';
import type { Answer } from './statuses.ts';

export const WHAT_IT_IS =
  'stand-in for a Kubernetes API server (tests of tidelock), not Kubernetes';
const HOST = '127.0.0.1';
const MAX_BODY_BYTES = 3 << 20;

/** Who a token belongs to, and what the Roles bound to it allow. */
export interface Account {
  readonly user: string;
  readonly rules: readonly Rule[];
}

/** One request, as it was understood. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly user: string | undefined;
  readonly code: number | undefined;
}

const VERBS: Readonly<Record<string, string>> = { GET: 'get', POST: 'create', PUT: 'update' };

/** `/apis/GROUP/VERSION/namespaces/NS/RESOURCE[/NAME]`. */
const PATH = /^\/apis\/([^/]+\/[^/]+)\/namespaces\/([^/]+)\/([^/]+)(?:\/([^/]+))?$/;

export class StandInApiServer implements AsyncDisposable {
  readonly #dir = mkdtempSync(join(tmpdir(), 'tl-stand-in-api-'));
  readonly #accounts = new Map<string, Account>();
  readonly #sockets = new Set<Socket>();
  readonly #revisions = new Revisions();
  readonly leases = new Objects(LEASES, this.#revisions);
  readonly #resources: readonly Objects[] = [this.leases];
  readonly namespaces = new Set(['default', 'tidelock']);
  /** Everything that was asked, oldest first. */
  readonly asked: Asked[] = [];
  connections = 0;
  fault: Fault | undefined;
  #server: Server | undefined;
  #port = 0;

  /** Starts one on a port of loopback. Errors: those of openssl, which makes its certificate. */
  static async start(): Promise<StandInApiServer> {
    const server = new StandInApiServer();
    const file = (name: string): string => join(server.#dir, name);
    const [authority, authorityKey] = [server.caFile, file('ca.key')];
    await makeAuthorityCertificate(authority, authorityKey);
    await makeServerCertificate(
      HOST,
      [file('server.crt'), file('server.key')],
      [authority, authorityKey],
    );
    await server.back();
    return server;
  }

  get url(): string {
    return `https://${HOST}:${this.#port}`;
  }

  get port(): number {
    return this.#port;
  }

  get caFile(): string {
    return join(this.#dir, 'ca.crt');
  }

  /** A new token of `account`, which stops holding once it expired. */
  issue(account: Account): string {
    const token = `stand-in.${randomBytes(16).toString('hex')}`;
    this.#accounts.set(token, account);
    return token;
  }

  expire(token: string): void {
    this.#accounts.delete(token);
  }

  /** A kubeconfig whose token is read from `tokenFile`. */
  kubeconfig(name: string, tokenFile: string): string {
    const path = join(this.#dir, `${name}.kubeconfig`);
    const text = {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'stand-in',
      contexts: [{ name: 'stand-in', context: { cluster: 'stand-in', user: name } }],
      clusters: [
        { name: 'stand-in', cluster: { server: this.url, 'certificate-authority': this.caFile } },
      ],
      users: [{ name, user: { tokenFile } }],
    };
    writeFileSync(path, JSON.stringify(text), { mode: 0o600 });
    return path;
  }

  /** As if its machine were gone: connections end, new ones are refused. */
  async away(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server) return;
    const closed = once(server, 'close');
    server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** On the same port as before. */
  async back(): Promise<void> {
    const [key, cert] = ['server.key', 'server.crt'].map((name) =>
      readFileSync(join(this.#dir, name)),
    );
    const server = createServer({ key, cert }, (request, response) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
    server.on('connection', (socket) => {
      this.connections += 1;
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    server.listen(this.#port, HOST);
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.away();
    rmSync(this.#dir, { recursive: true });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { fault } = this;
    const body = await bodyOf(request);
    if (fault?.kind === 'slow') await pause(fault.ms);
    if (fault?.kind === 'silent') return;
    const isDropped = fault?.kind === 'drop';
    const account = this.#accounts.get(tokenIn(request));
    const answer = isDropped
      ? undefined
      : ((fault && answerOf(fault)) ?? this.#answer(request, account, body));
    const { method = '', url = '' } = request;
    this.asked.push({ method, path: url, user: account?.user, code: answer?.code });
    if (answer === undefined || fault?.kind === 'dropAnswer') {
      request.socket.destroy();
      return;
    }
    const isText = typeof answer.body === 'string';
    response.writeHead(answer.code, {
      'content-type': isText ? 'text/plain; charset=utf-8' : 'application/json',
      'x-stand-in': WHAT_IT_IS,
      ...answer.headers,
    });
    response.end(isText ? answer.body : `${JSON.stringify(answer.body)}\n`);
  }

  #answer(request: IncomingMessage, account: Account | undefined, body: unknown): Answer {
    const { pathname } = new URL(request.url ?? '', this.url);
    if (account === undefined) return statuses.unauthorized();
    if (pathname === '/version') return { code: 200, body: VERSION };
    const [, apiVersion, namespace = '', plural, name = ''] = PATH.exec(pathname) ?? [];
    const objects = this.#resources.find(
      ({ kind }) => kind.apiVersion === apiVersion && kind.resource.plural === plural,
    );
    const verb = VERBS[request.method ?? ''];
    if (!objects) return statuses.noSuchPath();
    if (verb === undefined || (verb === 'create') !== (name === '')) {
      return statuses.methodNotAllowed();
    }
    const { resource } = objects.kind;
    const attempt = { user: account.user, verb, resource, namespace, name };
    if (!allows(account.rules, attempt)) return statuses.forbidden(attempt);
    if (verb === 'get') return objects.get(namespace, name);
    if (!this.namespaces.has(namespace)) {
      return statuses.notFound({ group: '', plural: 'namespaces' }, namespace);
    }
    return verb === 'create'
      ? objects.create(namespace, body)
      : objects.update(namespace, name, body);
  }
}

/** What `kubectl version` shows. */
const VERSION = {
  major: '1',
  minor: '36',
  gitVersion: 'v1.36.0-tidelock-stand-in',
  platform: 'stand-in',
};

const tokenIn = ({ headers }: IncomingMessage): string =>
  /^Bearer (\S+)$/.exec(headers.authorization ?? '')?.[1] ?? '';

/** The JSON of a request, or undefined where there is none that can be read. */
async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > MAX_BODY_BYTES) return undefined;
    parts.push(part);
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString()) as unknown;
  } catch {
    return undefined;
  }
}
