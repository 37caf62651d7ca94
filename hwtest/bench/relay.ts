// One hop of the bench's plain relay: what a proxy of this runtime costs without any cryptography. Reads
// into one buffer a thread and writes on, as the lanes do. Usage: relay.ts ADDRESS WORKERS PORT=TO:PORT...
import { Socket } from 'node:net';
import { Worker, isMainThread, workerData } from 'node:worker_threads';
import { dupFd } from '#proxy/native/fd.ts';
import { acceptOn, type Accepted } from '#proxy/native/handle.ts';
import { tcpListener } from '#proxy/native/socket.ts';
import { Leg, type LegOwner } from '#proxy/leg.ts';

interface Hop {
  readonly fd: number;
  readonly to: string;
  readonly port: number;
}

const ignored: LegOwner = {
  data: () => undefined,
  end: () => undefined,
  drained: () => undefined,
  closed: () => undefined,
};

/** Bytes of `from` go to `to`; half-close as half-close, reset as reset. */
function pump(from: Leg, to: Leg): void {
  let ended = false;
  from.owner = {
    data: (bytes) => {
      to.write([Buffer.from(bytes)]); // the shared buffer is read into again before it is sent
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

function relay(accepted: Accepted, { to, port }: Hop): void {
  const near = new Leg((onread) => accepted.adopt(onread), ignored);
  const far = new Leg((onread) => {
    const options: object = { allowHalfOpen: true, noDelay: true, onread };
    return new Socket(options);
  }, ignored);
  near.pause();
  pump(far, near);
  pump(near, far);
  far.socket.connect(port, to, () => near.resume());
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
  for (const hop of workerData as readonly Hop[]) {
    acceptOn(
      hop.fd,
      (accepted) => relay(accepted, hop),
      () => undefined,
    );
  }
}
