import koffi from 'koffi';
import { Worker, isMainThread, workerData } from 'node:worker_threads';
import { libc } from '#proxy/native/libc.ts';
import { dupFd, closeFd } from '#proxy/native/fd.ts';
import { tcpListener } from '#proxy/native/socket.ts';
import { acceptNext, nameOf, startConnecting } from './sockets.ts';
const epollCreate = libc.func('int epoll_create1(int)');
const epollCtl = libc.func('int epoll_ctl(int, int, int, void*)');
const epollWait = libc.func('int epoll_wait(int, void*, int, int)');
const recv = libc.func('int64_t recv(int, void*, size_t, int)');
const send = libc.func('int64_t send(int, const void*, size_t, int)');
const shutdown = libc.func('int shutdown(int,int)');
if (isMainThread) {
  const [address, workers, ...routes] = process.argv.slice(2);
  const hops = routes.map((r) => { const m = /^(\d+)=([\d.]+):(\d+)$/.exec(r)!; return { fd: tcpListener(address!, Number(m[1])), to: m[2], port: Number(m[3]) }; });
  for (let i = 0; i < Number(workers); i++) new Worker(new URL(import.meta.url), { workerData: hops.map((h) => ({ ...h, fd: dupFd(h.fd) })) });
} else {
  const ep = epollCreate(0);
  const ev = Buffer.alloc(12), evs = Buffer.alloc(12 * 256), dv = new DataView(evs.buffer, evs.byteOffset, evs.length);
  const buf = Buffer.allocUnsafeSlow(512 << 10);
  const ctl = (op: number, fd: number, e: number) => { ev.writeUInt32LE(e >>> 0, 0); ev.writeInt32LE(fd, 4); epollCtl(ep, op, fd, ev); };
  const h: (((e: number) => void) | undefined)[] = [];
  const IN = 1, OUT = 4, ET = 0x80000000;
  class Conn { fd; peer: Conn | undefined; ended = false; finSent = false; q: Buffer[] = []; open = false; constructor(fd: number) { this.fd = fd; }
    on(e: number) {
      if (!this.open && (e & OUT)) { this.open = true; }
      if (this.open && this.q.length) this.flush();
      if (e & IN) this.read();
    }
    read() { for (let k = 0; k < 4; k++) { if (this.peer!.q.length) return; const n = recv(this.fd, buf, buf.length, 0) as number; if (n > 0) { this.peer!.write(buf, n); if (n < buf.length) return; } else if (n === 0) { this.ended = true; this.peer!.end(); return; } else { if (koffi.errno() !== 11) this.die(); return; } } }
    write(b: Buffer, n: number) { let off = 0; if (this.open && !this.q.length) { const s = send(this.fd, b, n, 0x4000) as number; if (s === n) return; if (s > 0) off = s; } this.q.push(Buffer.from(b.subarray(off, n))); }
    flush() { while (this.q.length) { const b = this.q[0]!; const s = send(this.fd, b, b.length, 0x4000) as number; if (s < 0) return; if (s < b.length) { this.q[0] = b.subarray(s); return; } this.q.shift(); } if (this.peer) this.peer.read(); if (this.finSent) shutdown(this.fd, 1); }
    end() { this.finSent = true; if (!this.q.length) shutdown(this.fd, 1); if (this.ended) { this.die(); } }
    die() { for (const c of [this, this.peer!]) { if (c.fd >= 0) { h[c.fd] = undefined; closeFd(c.fd); c.fd = -1; } } }
  }
  for (const hop of workerData as any[]) {
    const name = nameOf(hop.to, hop.port);
    h[hop.fd] = () => { for (let i = 0; i < 16; i++) { const fd = acceptNext(hop.fd); if (fd === undefined) return; const a = new Conn(fd); a.open = true; const b = new Conn(startConnecting(name)); a.peer = b; b.peer = a; h[a.fd] = (e) => a.on(e); h[b.fd] = (e) => b.on(e); ctl(1, a.fd, IN | OUT | ET); ctl(1, b.fd, IN | OUT | ET); } };
    ctl(1, hop.fd, IN);
  }
  const step = () => { const n = epollWait(ep, evs, 256, 50) as number; for (let i = 0; i < n; i++) { const f = h[dv.getInt32(i * 12 + 4, true)]; f?.(dv.getUint32(i * 12, true)); } setImmediate(step); };
  step();
}
