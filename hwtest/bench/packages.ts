// The Debian packages that only the bench needs: installed by apt-get when their programs are missing,
// their services ended and not started at the next boot, because the bench runs its own.
import { accessSync, constants } from 'node:fs';
import { TidelockError, messageOf } from '#agent/base/errors.ts';
import { run } from '#agent/base/run.ts';
import { requireRoot } from '#hwtest/rig/preflight.ts';

/** Package to a file that it brings: a program on PATH, or a path. */
const PACKAGES: Readonly<Record<string, string>> = {
  haproxy: 'haproxy',
  stunnel4: 'stunnel4',
  'libnginx-mod-stream': '/usr/lib/nginx/modules/ngx_stream_module.so',
  'wireguard-go': 'wireguard-go',
  'wireguard-tools': 'wg',
  iperf3: 'iperf3',
  openssl: 'openssl',
  ethtool: 'ethtool',
};
const SERVICES = ['haproxy', 'stunnel4'];
const INSTALL_MS = 300_000;

/** Installs what is missing and says so first. Errors: ROOT_REQUIRED, RIG_PREREQUISITE. */
export async function installPeers(log: (line: string) => void): Promise<void> {
  requireRoot();
  const missing = Object.entries(PACKAGES).flatMap(([name, file]) => (isThere(file) ? [] : [name]));
  if (missing.length === 0) return;
  log(`installing from Debian, for the bench alone: ${missing.join(' ')}`);
  try {
    await run(['apt-get', '-q', '-y', '--no-install-recommends', 'install', ...missing], {
      timeoutMs: INSTALL_MS,
      env: { DEBIAN_FRONTEND: 'noninteractive' },
    });
  } catch (cause) {
    throw new TidelockError('RIG_PREREQUISITE', {
      op: 'bench.packages',
      message: `Cannot compare lanes with other proxies: ${missing.join(', ')} could not be installed`,
      hint: `Install them yourself: apt-get install ${missing.join(' ')} (${messageOf(cause)})`,
      cause,
    });
  }
  const started = SERVICES.filter((service) => missing.includes(service));
  if (started.length === 0 || !isThere('/run/systemd/system')) return;
  await run(['systemctl', '--quiet', 'disable', '--now', ...started]);
}

const isThere = (file: string): boolean =>
  (file.startsWith('/')
    ? ['']
    : (process.env['PATH'] ?? '').split(':').map((dir) => `${dir}/`)
  ).some((prefix) => {
    try {
      accessSync(`${prefix}${file}`, constants.F_OK);
      return true;
    } catch {
      return false;
    }
  });
