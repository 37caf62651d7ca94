// Stands between nodes and a nats-server and delivers what is said in a cluster twice, late and in another order, as
// a network of several ways may: `proxy.ts PORT HOST SERVER_PORT KEY CERTIFICATE CA PREFIX`. Answers to requests pass
// as they come. Its certificate is the server's own; signatures of nodes pass through it.
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { connect as connectTls, TLSSocket } from 'node:tls';

const LATE_MS = 3000;
const LINE_END = '\r\n';

const [
  port = '',
  host = '',
  serverPort = '',
  keyFile = '',
  certFile = '',
  caFile = '',
  prefix = '',
] = process.argv.slice(2);
const [key, cert, ca] = [keyFile, certFile, caFile].map((file) => readFileSync(file));

/** Cuts what a server says into its messages; `each` gets a whole one, and its subject where it has one. */
function framesOf(each: (frame: Buffer, subject: string | undefined) => void) {
  let rest = Buffer.alloc(0);
  return (bytes: Buffer): void => {
    rest = Buffer.concat([rest, bytes]);
    for (;;) {
      const end = rest.indexOf(LINE_END);
      if (end < 0) return;
      const [verb, subject, ...more] = rest.subarray(0, end).toString().split(' ');
      const isMessage = verb === 'MSG' || verb === 'HMSG';
      const payload = isMessage ? Number(more.at(-1)) + LINE_END.length : 0;
      const length = end + LINE_END.length + payload;
      if (rest.length < length) return;
      each(rest.subarray(0, length), isMessage ? subject : undefined);
      rest = rest.subarray(length);
    }
  };
}

/** Its first line, which comes before TLS. */
function greetingOf(socket: Socket): Promise<Buffer> {
  return new Promise((resolve) => {
    let all = Buffer.alloc(0);
    const hear = (bytes: Buffer): void => {
      all = Buffer.concat([all, bytes]);
      if (!all.includes(LINE_END)) return;
      socket.off('data', hear);
      socket.pause();
      resolve(all);
    };
    socket.on('data', hear);
  });
}

async function serve(client: Socket): Promise<void> {
  const server = connect(Number(serverPort), host);
  const end = (): void => {
    client.destroy();
    server.destroy();
  };
  for (const each of [client, server]) each.on('error', end).on('close', end);
  client.write(await greetingOf(server));
  const inner = new TLSSocket(client, { isServer: true, key, cert });
  const outer = connectTls({ socket: server, ca, servername: '', host });
  for (const each of [inner, outer]) each.on('error', end).on('close', end);
  const say = (frame: Buffer): void => {
    if (inner.writable) inner.write(frame);
  };
  const hear = framesOf((frame, subject) => {
    if (subject?.startsWith(prefix) !== true) {
      say(frame);
      return;
    }
    const copy = Buffer.from(frame);
    for (let times = 1 + randomInt(2); times > 0; times -= 1) {
      setTimeout(() => say(copy), randomInt(LATE_MS));
    }
  });
  outer.on('data', hear);
  inner.pipe(outer);
}

createServer((client) => void serve(client)).listen(Number(port), '0.0.0.0');
