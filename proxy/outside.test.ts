// Connections whose destination is no pod's address: a service's, and one without an agent.
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { Endpoint } from '#proxy/see/address.ts';
import { idle, readAll, world } from './lane.fixture.ts';
import type { Service } from './snapshot.ts';

const SERVICE: Endpoint = { address: '10.96.0.1', port: 80 };
const textOf = ({ address, port }: Endpoint): string => `${address}:${port}`;
const leadingTo = (...endpoints: Endpoint[]): Service => ({
  name: 'ns/service',
  ips: [SERVICE.address],
  isSticky: false,
  ports: [{ port: SERVICE.port, endpoints }],
});

describe('a connection to a service', () => {
  it('comes out at an endpoint on another node, and both ends tell which, and who called', async () => {
    const two = await world();
    const endpoint = await two.serve((socket) => socket.pipe(socket));
    two.tell({ outside: { services: [leadingTo(endpoint)] } });
    const app = await two.a.connect(SERVICE);
    const client = `${app.localAddress}:${app.localPort}`;
    app.end('to whom it may concern');
    expect(String(await readAll(app))).toBe('to whom it may concern');
    await idle(two);
    expect(two.a.events).toMatchObject([
      { kind: 'closed', client, destination: textOf(SERVICE), endpoint: textOf(endpoint) },
    ]);
    expect(two.b.events).toMatchObject([{ kind: 'closed', client, destination: textOf(endpoint) }]);
    expect(two.b.events[0]).not.toHaveProperty('endpoint');
  });

  it('is reset where no endpoint can be reached, with a reason', async () => {
    const two = await world();
    two.tell({ outside: { services: [leadingTo({ address: '192.0.2.1', port: 80 })] } });
    expect(await readAll(await two.a.connect(SERVICE))).toBe('ECONNRESET');
    expect(two.a.events).toMatchObject([
      {
        kind: 'refused',
        reason: 'no-endpoint',
        client: expect.stringMatching(/^[^:]+:\d+$/),
        destination: textOf(SERVICE),
      },
    ]);
    expect(two.a.count('refused.no-endpoint')).toBe(1);
  });
});

describe('a connection to where no agent is', () => {
  it('is made in the clear where the destination is excepted, and reset elsewhere', async () => {
    const server = createServer((socket) => socket.end('in the clear')).listen(0, '127.9.0.1');
    await once(server, 'listening');
    const listening = server.address();
    const port = typeof listening === 'object' && listening !== null ? listening.port : 0;
    const two = await world();
    two.tell({ outside: { unmeshedExcept: [{ network: '127.9.0.0/24', ports: [port] }] } });
    const app = await two.a.connect({ address: '127.9.0.1', port });
    app.end();
    expect(String(await readAll(app))).toBe('in the clear');
    await idle(two);
    server.close();
    expect(two.a.count('plainOut')).toBe(1);
    expect(two.a.events).toMatchObject([
      { kind: 'closed', reason: 'clean', rule: 'unmeshedExcept: 127.9.0.0/24' },
    ]);
    const other = await two.a.connect({ address: '127.9.1.1', port });
    expect(await readAll(other)).toBe('ECONNRESET');
    expect(two.a.count('refused.no-agent')).toBe(1);
  });

  it('lives as long as the setting that allowed it, and on while a new control plane looks around', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.pipe(socket);
    }).listen(0, '127.9.0.2');
    await once(server, 'listening');
    const listening = server.address();
    const port = typeof listening === 'object' && listening !== null ? listening.port : 0;
    const two = await world();
    two.tell({ outside: { unmeshedExcept: [{ network: '127.9.0.0/24', ports: [port] }] } });
    const app = await two.a.connect({ address: '127.9.0.2', port });
    const echoed = async (): Promise<string> => {
      app.write('word');
      return String((await once(app, 'data'))[0]);
    };
    expect(await echoed()).toBe('word');
    two.tell({ outside: { isPlainWithheld: true } });
    expect(await echoed()).toBe('word');
    expect(await readAll(await two.a.connect({ address: '127.9.0.2', port }))).toBe('ECONNRESET');
    const end = readAll(app);
    two.tell({ outside: {} });
    expect(await end).toBe('ECONNRESET');
    await idle(two);
    server.close();
    expect(two.a.count('closed.policy')).toBe(1);
  });
});
