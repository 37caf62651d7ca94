// Tests of the control socket and its client, over real unix sockets.
import { chmod, mkdir, mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, connect, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TidelockError } from '#agent/base/errors.ts';
import { askAgent, tellAgent } from './client.ts';
import { serveControl, type Routes } from './control.ts';

let dir: string;
let path: string;
const closing: AsyncDisposable[] = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tidelock-control-'));
  path = join(dir, 'run', 'control.sock');
});
afterEach(async () => {
  for (const one of closing.splice(0)) await one[Symbol.asyncDispose]();
  await rm(dir, { recursive: true });
});

async function serve(routes: Routes = { 'GET /status': () => ({ kind: 'Status' }) }) {
  const control = await serveControl(path, routes);
  closing.push(control);
  return control;
}

async function raw(request: string): Promise<string> {
  const socket = connect(path);
  socket.end(request);
  return text(socket);
}

describe('serveControl()', () => {
  it('serveControl() answers its routes', async () => {
    await serve({ 'GET /status': async () => ({ kind: 'Status', n: 1 }) });
    expect(await askAgent(path, '/status')).toEqual({ kind: 'Status', n: 1 });
  });

  it('serveControl() hands a route its parameters, decoded', async () => {
    await serve({ 'GET /why': (query) => ({ ...query }) });
    expect(await askAgent(path, '/why?pod=shop%2Fweb-0&to=a%3A1&x=')).toEqual({
      pod: 'shop/web-0',
      to: 'a:1',
      x: '',
    });
    expect(await askAgent(path, '/why?')).toEqual({});
  });

  it.each([
    ['one given twice', 'pod=a&pod=b'],
    ['an odd name', '__proto__=a'],
    ['a long value', `pod=${'x'.repeat(2_049)}`],
    [
      'too many',
      'abcdefghi'
        .split('')
        .map((name) => `${name}=1`)
        .join('&'),
    ],
  ])('serveControl() refuses parameters: %s', async (_what, query) => {
    await serve({ 'GET /why': () => ({}) });
    const request = `GET /why?${query} HTTP/1.1\r\nHost: x\r\n\r\n`;
    expect(await raw(request)).toMatch(/^HTTP\/1.1 400 [^]*"code":"USAGE"/);
  });

  it('serveControl() is open to its own user alone, whatever the umask', async () => {
    const before = process.umask(0);
    try {
      await serve();
      expect((await stat(path)).mode & 0o777).toBe(0o600);
      expect((await stat(join(dir, 'run'))).mode & 0o777).toBe(0o700);
      expect(process.umask()).toBe(0);
    } finally {
      process.umask(before);
    }
  });

  it('serveControl() refuses a directory that others may write to', async () => {
    await mkdir(join(dir, 'run'));
    await chmod(join(dir, 'run'), 0o1777);
    await expect(serve()).rejects.toMatchObject({ code: 'CONTROL_SOCKET_UNUSABLE', exitCode: 6 });
  });

  it('serveControl() refuses to take the place of a running agent', async () => {
    await serve();
    await expect(serve()).rejects.toMatchObject({ code: 'AGENT_RUNNING' });
    expect(await askAgent(path, '/status')).toEqual({ kind: 'Status' });
  });

  it('serveControl() replaces a socket that a killed agent left behind, and no other file', async () => {
    await mkdir(join(dir, 'run'), { mode: 0o700 });
    await leaveSocketBehind(path);
    await serve();
    expect(await askAgent(path, '/status')).toEqual({ kind: 'Status' });
    path = join(dir, 'run', 'file');
    await writeFile(path, 'precious');
    await expect(serve()).rejects.toMatchObject({ code: 'CONTROL_SOCKET_UNUSABLE' });
    expect((await stat(path)).size).toBe(8);
  });

  it('serveControl() removes its socket when closed', async () => {
    const control = await serve();
    await control[Symbol.asyncDispose]();
    closing.pop();
    await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(askAgent(path, '/status')).rejects.toMatchObject({
      code: 'AGENT_UNREACHABLE',
      exitCode: 5,
      retryable: true,
    });
  });

  it.each([
    ['an unknown path', 'GET /other HTTP/1.1\r\nHost: x\r\n\r\n', '404'],
    ['another method', 'POST /status HTTP/1.1\r\nHost: x\r\n\r\n', '404'],
    ['a property of every object', 'GET constructor HTTP/1.1\r\nHost: x\r\n\r\n', '400'],
    ['a body', 'GET /status HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nxx', '413'],
    [
      'a chunked body',
      'GET /status HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      '413',
    ],
    ['huge headers', `GET /status HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, '431'],
    ['garbage', '\u0016\u0003\u0001\u0002\r\n\r\n', '400'],
  ])('serveControl() answers %s with an error and lives on', async (_what, request, code) => {
    await serve();
    expect(await raw(request)).toMatch(new RegExp(`^HTTP/1.1 ${code} `));
    expect(await askAgent(path, '/status')).toEqual({ kind: 'Status' });
  });

  it('serveControl() gives a POST its document', async () => {
    await serve({ 'POST /things': (_query, body) => ({ kind: 'Thing', body }) });
    expect(await tellAgent(path, '/things', { a: 1 })).toEqual({ kind: 'Thing', body: { a: 1 } });
  });

  it.each([
    ['no JSON', 'Content-Length: 2\r\n\r\n{x', '400'],
    ['no body', 'X: y\r\n\r\n', '400'],
    ['a body without end', `Content-Length: ${(64 << 10) + 1}\r\n\r\n`, '413'],
    ['a body of no stated length', 'Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n', '413'],
  ])('serveControl() refuses a POST with %s', async (_what, rest, code) => {
    await serve({ 'POST /things': () => ({ kind: 'Thing' }) });
    const request = `POST /things HTTP/1.1\r\nHost: x\r\n${rest}`;
    expect(await raw(request)).toMatch(new RegExp(`^HTTP/1.1 ${code} [^]*"code":"USAGE"`));
  });

  it('serveControl() answers a failing route with its coded error', async () => {
    const error = new TidelockError('TPM_UNREACHABLE', {
      op: 'x',
      message: 'Cannot x',
      hint: 'do y',
    });
    await serve({
      'GET /status': () => {
        throw error;
      },
    });
    await expect(askAgent(path, '/status')).rejects.toMatchObject({
      code: 'AGENT_ANSWER_INVALID',
      message: expect.stringContaining('Cannot x'),
      hint: 'do y',
    });
  });

  it('serveControl() refuses a directory that cannot be made, and returns', async () => {
    await expect(serveControl('/proc/none/a/control.sock', {})).rejects.toMatchObject({
      code: 'CONTROL_SOCKET_UNUSABLE',
      message: expect.stringContaining("mkdir '/proc/none'"),
    });
  });
});

describe('askAgent()', () => {
  it('askAgent() passes on that the question is at fault, as the agent says it', async () => {
    const said = { message: 'Cannot list lanes: no such pod', hint: 'Look.' };
    await serve({
      'GET /lanes': () => {
        throw new TidelockError('USAGE', { op: 'x', ...said });
      },
    });
    await expect(askAgent(path, '/lanes?pod=x')).rejects.toMatchObject({ code: 'USAGE', ...said });
  });

  it.each([
    ['no HTTP', 'hello\r\n\r\n', 'AGENT_UNREACHABLE'],
    ['no JSON', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{]', 'AGENT_ANSWER_INVALID'],
    ['an early end', 'HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{}', 'AGENT_UNREACHABLE'],
    ['an endless answer', `HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(9 << 20)}`, 'AGENT_UNREACHABLE'],
  ])('askAgent() ends in one error for %s', async (_what, answer, code) => {
    path = join(dir, 'sock');
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end(answer));
    });
    await listening(server, path);
    closing.push({ [Symbol.asyncDispose]: async () => void server.close() });
    await expect(askAgent(path, '/status')).rejects.toMatchObject({ code });
  });
});

const listening = (server: Server, path: string): Promise<void> =>
  new Promise((resolve) => server.listen(path, resolve));

/** What `kill -9` leaves: Node removes the path it listened on when it closes, so it is moved away first. */
async function leaveSocketBehind(path: string): Promise<void> {
  const server = createServer();
  await listening(server, `${path}~`);
  await rename(`${path}~`, path);
  await new Promise((resolve) => server.close(resolve));
}
