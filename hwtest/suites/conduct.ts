// What two programs see of a TCP connection when it is used in ways that most programs never do. In a
// server pod: conduct.ts serve PORT, a way of use a port from PORT on; in a client pod: conduct.ts ask
// ADDRESS PORT, which uses each once and prints what both ends saw, as JSON.
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** What an end saw of a connection: the bytes until it ended, or the code of the error that cut it. */
interface Seen {
  readonly text: string;
  /** Times that bytes came. */
  readonly pieces: number;
}

/** What both saw, by the way of use. */
export type Conduct = Readonly<Record<string, { readonly client: Seen; readonly server: Seen }>>;

interface Way {
  readonly client: (socket: Socket) => unknown;
  readonly server: (socket: Socket) => unknown;
}

const SINGLE_BYTES = 100;
const UNREAD = Buffer.alloc(8 << 20);

/** Half-open connections: who has ended still reads, and says its part by itself. */
const WAYS: Readonly<Record<string, Way>> = {
  nothing: { client: (socket) => socket.end(), server: (socket) => socket.end() },
  'server speaks first': {
    client: (socket) => socket.once('data', () => socket.end('HELO\n')),
    server: (socket) => socket.end('220 ready\n'),
  },
  'answer after the question has ended': {
    client: (socket) => socket.end('question'),
    server: (socket) => socket.on('end', () => socket.end('answer')),
  },
  'question after the answer has ended': {
    client: (socket) => socket.on('end', () => socket.end('question')),
    server: (socket) => socket.end('answer'),
  },
  'both end at once': {
    client: (socket) => socket.end('client'),
    server: (socket) => socket.end('server'),
  },
  'client resets': {
    client: (socket) => socket.once('data', () => socket.resetAndDestroy()),
    server: (socket) => socket.write('x'),
  },
  'server resets': {
    client: (socket) => socket.write('x'),
    server: (socket) => socket.once('data', () => socket.resetAndDestroy()),
  },
  'client closes with bytes unread': {
    client: (socket) => closeUnread(socket),
    server: (socket) => socket.write(UNREAD),
  },
  'server closes with bytes unread': {
    client: (socket) => socket.write(UNREAD),
    server: (socket) => closeUnread(socket),
  },
  'single bytes': {
    client: async (socket) => {
      for (let n = 0; n < SINGLE_BYTES; n += 1) {
        socket.write('x');
        await pause(5);
      }
      socket.end();
    },
    server: (socket) => socket.on('end', () => socket.end()),
  },
};

/** Stops reading, and closes when more has come than Node takes by itself. */
async function closeUnread(socket: Socket): Promise<void> {
  socket.pause();
  await pause(300);
  socket.destroy();
}

const seenBy = (socket: Socket): Promise<Seen> =>
  new Promise((resolve) => {
    let text = '';
    let pieces = 0;
    let error = '';
    socket.on('data', (bytes: Buffer) => {
      pieces += 1;
      if (text.length < 200) text += bytes.toString('latin1').replaceAll('\0', '');
    });
    socket.on('error', ({ code = 'error' }: NodeJS.ErrnoException) => (error = code));
    socket.on('close', () => resolve({ text: error || text, pieces }));
  });

/** The last thing that the server saw of each way, asked for on the port before the first. */
function serve(port: number): void {
  const seen = new Map<string, Promise<Seen>>();
  createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('data', (name: Buffer) => {
      void seen.get(name.toString())?.then((each) => socket.end(JSON.stringify(each)));
    });
  }).listen(port, '0.0.0.0');
  for (const [index, [name, way]] of Object.entries(WAYS).entries()) {
    createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      seen.set(name, seenBy(socket));
      void way.server(socket);
    }).listen(port + 1 + index, '0.0.0.0');
  }
}

async function ask(address: string, port: number): Promise<Conduct> {
  const found: Record<string, Conduct[string]> = {};
  for (const [index, [name, way]] of Object.entries(WAYS).entries()) {
    const socket = connect({
      host: address,
      port: port + 1 + index,
      allowHalfOpen: true,
      noDelay: true,
    });
    const client = seenBy(socket);
    void way.client(socket);
    found[name] = { client: await client, server: await serverSaw(address, port, name) };
  }
  return found;
}

async function serverSaw(address: string, port: number, name: string): Promise<Seen> {
  const socket = connect({ host: address, port, allowHalfOpen: true });
  socket.write(name);
  let text = '';
  for await (const bytes of socket) text += String(bytes);
  socket.end();
  return JSON.parse(text) as Seen;
}

if (import.meta.main) {
  const [role, ...args] = process.argv.slice(2);
  const port = Number(args.at(-1));
  if (role === 'serve') serve(port);
  else process.stdout.write(JSON.stringify(await ask(args[0] ?? '', port)));
}
