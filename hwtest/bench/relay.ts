// One hop of the bench's plain relay: what a proxy of this runtime costs without any cryptography. Reads
// into one buffer a thread and writes on, as the lanes do. Usage: relay.ts ADDRESS WORKERS PORT=TO:PORT...
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { Acceptor } from '#proxy/acceptor.ts';
import { dial } from '#proxy/dial.ts';
import { Leg, NOBODY } from '#proxy/leg.ts';
import { createEventfd } from '#proxy/native/eventfd.ts';
import { dupFd } from '#proxy/native/fd.ts';
import { tcpListener } from '#proxy/native/socket.ts';
import { Reactor } from '#proxy/reactor.ts';

interface Hop {
  readonly fd: number;
  readonly to: string;
  readonly port: number;
}

/** Bytes of `from` go to `to`; half-close as half-close, reset as reset. */
function pump(from: Leg, to: Leg): void {
  let ended = false;
  from.owner = {
    data: (bytes) => {
      to.write(bytes);
      if (to.isFull) from.pause();
    },
    end: () => {
      ended = true;
      to.end();
    },
    drained: () => to.resume(),
    closed: (failed) => {
      if (failed || !ended) to.reset();
    },
  };
}

function relay(reactor: Reactor, fd: number, { to, port }: Hop): void {
  const near = Leg.accepted(reactor, fd, NOBODY);
  near.pause();
  dial(
    reactor,
    reactor.clock,
    { address: to, port },
    {
      connected: (far) => {
        pump(far, near);
        pump(near, far);
        near.resume();
      },
      failed: () => near.reset(),
    },
  );
}

function main([address = '', workers = '1', ...routes]: readonly string[]): void {
  const hops = routes.map((route): Hop => {
    const [, port, to = '', toPort] = /^(\d+)=([\d.]+):(\d+)$/.exec(route) ?? [];
    return { fd: tcpListener(address, Number(port)), to, port: Number(toPort) };
  });
  for (let i = 0; i < Number(workers); i += 1) {
    const own = hops.map((hop) => ({ ...hop, fd: dupFd(hop.fd) }));
    void new Worker(new URL(import.meta.url), { workerData: own });
  }
}

if (isMainThread) main(process.argv.slice(2));
else {
  const reactor = new Reactor();
  const acceptors = (workerData as readonly Hop[]).map(
    (hop) =>
      new Acceptor(
        reactor,
        hop.fd,
        ({ fd }) => relay(reactor, fd, hop),
        () => undefined,
      ),
  );
  parentPort?.once('close', () => acceptors.forEach((acceptor) => acceptor.close()));
  reactor.run(createEventfd()); // which nobody rings
}
