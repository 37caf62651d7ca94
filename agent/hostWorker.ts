// Thread that asks systeminformation once and ends: some of its calls block for a tenth of a second.
import { parentPort } from 'node:worker_threads';
import { bios, cpu, mem, osInfo, system } from 'systeminformation';

const [machine, firmware, processor, memory, os] = await Promise.all([
  system(),
  bios(),
  cpu(),
  mem(),
  osInfo(),
]);

parentPort?.postMessage({
  system: `${machine.manufacturer} ${machine.model}`.trim(),
  virtual: machine.virtual,
  firmware: `${firmware.vendor} ${firmware.version}`.trim(),
  processor: `${processor.manufacturer} ${processor.brand}`.trim(),
  cores: processor.cores,
  memoryBytes: memory.total,
  os: `${os.distro} ${os.release}`.trim(),
  kernel: os.kernel,
});
