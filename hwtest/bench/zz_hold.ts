import { createInterface } from 'node:readline';
import { makeBed } from './bed.ts';
import { measureBulk, measureConnections, measureRoundTrip } from './figures.ts';
import { cpuSecondsOf, treeOf } from './processes.ts';
await using bed = await makeBed({ workers: 2, log: (l) => console.log(l) });
const effort = { bulkSeconds: 3, connectionSeconds: 3, roundTrips: 3000, atOnce: 32, idleLanes: 100 };
for (const s of bed.subjects) console.log(s.name, JSON.stringify(s.pids), 'beside', JSON.stringify(s.beside), s.address, s.echoPort);
console.log('READY', bed.rig.dir);
for await (const line of createInterface({ input: process.stdin })) {
  const [what, name, n = '1'] = line.trim().split(' ');
  if (what === 'quit') break;
  const subject = bed.subjects.find((s) => s.name === name);
  if (!subject) { console.log('?', line); continue; }
  const all = cpuAll(); const c0 = cpuSecondsOf(treeOf(subject.pids)); const b0 = cpuSecondsOf(subject.beside.length ? treeOf(subject.beside) : []); const t0 = performance.now();
  try {
    const v: any = what === 'conn' ? await measureConnections(bed.rig, subject, effort) : what === 'rt' ? await measureRoundTrip(bed.rig, subject, effort) : await measureBulk(bed.rig, subject, Number(n) as 1, effort);
    const cpu = cpuSecondsOf(treeOf(subject.pids)) - c0; const beside = cpuSecondsOf(subject.beside.length ? treeOf(subject.beside) : []) - b0; const s = (performance.now() - t0) / 1000;
    console.log(what, name, n, JSON.stringify(v), 'cpu', cpu.toFixed(2), 'beside', beside.toFixed(2), 'secs', s.toFixed(2), 'machine', (cpuAll() - all).toFixed(2), what === 'conn' ? `us/conn ${((cpu * 1e6) / (v.connections * 3)).toFixed(0)} machine us/conn ${(((cpuAll() - all) * 1e6) / (v.connections * 3)).toFixed(0)}` : '');
  } catch (e) { console.log('FAILED', String(e)); }
}
import { readFileSync } from 'node:fs';
function cpuAll(): number { const f = readFileSync('/proc/stat', 'utf8').split('\n')[0]!.split(/\s+/).slice(1).map(Number); return (f[0]! + f[1]! + f[2]! + f[5]! + f[6]!) / 100; }
