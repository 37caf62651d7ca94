// The Debian half of the setup: the programs that the rig is made of, the libraries of the project's
// Node, and installing those that are missing without their services being started, now or at the next
// boot. Runs under the machine's Node, see steps.js.
import { readdirSync, readFileSync } from 'node:fs';
import {
  firstLine,
  installEnv,
  isLibrary,
  isProgram,
  refuse,
  run,
  say,
} from '#hwtest/setup/steps.js';

/** Package -> the programs that it is needed for. */
const PACKAGES = {
  swtpm: ['swtpm'],
  'swtpm-tools': ['swtpm_setup', 'swtpm_localca', 'swtpm_ioctl'],
  'tpm2-tools': ['tpm2'],
  'nats-server': ['nats-server'],
  openssl: ['openssl'],
  nftables: ['nft'],
  iproute2: ['ip', 'tc', 'ss'],
  'nginx-light': ['nginx'],
  'redis-server': ['redis-server'],
  'redis-tools': ['redis-cli', 'redis-benchmark'],
  curl: ['curl'],
  tcpdump: ['tcpdump'],
  bpftrace: ['bpftrace'],
  // clients and servers of the suites
  socat: ['socat'],
  'netcat-openbsd': ['nc.openbsd'],
  'util-linux': ['nsenter', 'setpriv', 'unshare'],
};

/** Package -> a program by which it is known, of what the soak alone is made of. */
const SOAK_PACKAGES = { postgresql: ['pg_ctlcluster'], iperf3: ['iperf3'] };

/** Package -> the library for which the project's own Node needs it; a minimal Debian has it not. */
const LIBRARIES = { libatomic1: 'libatomic.so.1' };

/** What Debian asks before it starts a service that it has just installed. */
const POLICY = '/usr/sbin/policy-rc.d';
const MARK = 'Written by the setup of tidelock';

/**
 * Installs the packages $@, first finishing what a killed dpkg left. The services among them (each
 * has the name of its package) are not started, and not enabled for the next boot. The policy that
 * denies their start names only these, expires with this shell, so that one which outlives a
 * kill -9 denies nothing, and is not written where the machine has a policy of its own.
 */
const INSTALL = `
new=
for service in nats-server nginx redis-server postgresql; do
  [ "$(dpkg-query -W -f '\${db:Status-Status}' $service 2> /dev/null)" = installed ] || new="$new $service"
done
if [ ! -e ${POLICY} ] || grep -q '${MARK}' ${POLICY}; then
  trap 'rm -f ${POLICY}' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  cat > ${POLICY} <<END
#!/bin/sh
# ${MARK}, and removed by it when the installation ends.
for service in $new; do
  [ "\\\${1%.service}" = "\\$service" ] && kill -0 $$ 2> /dev/null && exit 101
done
exit 0
END
  chmod 755 ${POLICY}
fi
dpkg --configure -a &&
  apt-get -q -y -f --no-install-recommends -o DPkg::Lock::Timeout=600 install "$@" || exit
for service in $new; do
  if command -v systemctl > /dev/null; then systemctl --quiet disable $service
  elif [ -e /etc/init.d/$service ]; then update-rc.d $service disable
  fi
done
exit 0
`;

/** Names of the packages whose programs this machine lacks; `soaks`: those of the soak as well. */
export const missingPackages = (soaks) =>
  Object.entries({ ...PACKAGES, ...(soaks ? SOAK_PACKAGES : {}) })
    .filter(([, programs]) => !programs.every(isProgram))
    .map(([name]) => name);

/** Names of the packages without which the project's own Node does not start here. */
export const missingLibraries = () =>
  Object.keys(LIBRARIES).filter((name) => !isLibrary(LIBRARIES[name]));

/** Whether an installation was killed before its end: then its policy is still there. */
export function wasInterrupted() {
  try {
    return readFileSync(POLICY, 'utf8').includes(MARK);
  } catch {
    return false; // the usual case: there is none
  }
}

/** Why the packages could never be installed here, as `[holds, code, message, hint]`. */
export function packageChecks(packages) {
  const names = packages.join(' ');
  return [
    [
      isProgram('apt-get'),
      'SETUP_UNSUPPORTED',
      `Cannot install ${names}: this machine has no apt-get`,
      'Use Debian 12 or later, or install these programs by the means of your distribution.',
    ],
    [
      process.getuid() === 0,
      'ROOT_REQUIRED',
      `Cannot install ${names}: not root`,
      `Run as root (sudo npm start), or first run: sudo apt-get install ${names}`,
    ],
  ];
}

/** Fetches without installing; refreshes the package lists only when that is what it takes. */
export async function fetchPackages(packages) {
  if (packages.length === 0) return;
  if (readdirSync('/var/lib/dpkg/updates').length > 0) return; // an interrupted dpkg: repaired first
  const fetch = ['-y', '--no-install-recommends', '--download-only', 'install', ...packages];
  say(`fetching from Debian: ${packages.join(' ')}`);
  if ((await apt(fetch)).code === 0) return;
  say('refreshing the package lists, then fetching again');
  await apt(['update']);
  const { code, errors } = await apt(fetch);
  if (code === 0) return;
  refuse(
    'SETUP_OFFLINE',
    `Cannot install ${packages.join(' ')}: apt-get could not fetch them (${firstLine(errors)})`,
    'Check the network and /etc/apt/sources.list; nothing was changed.',
  );
}

/** apt-get, of whose output only the progress is shown. */
async function apt(argv) {
  const patience = ['-q', '-o', 'Acquire::Retries=1', '-o', 'Acquire::http::Timeout=30'];
  const options = { env: installEnv(), stdio: ['ignore', 'pipe', 'pipe'] };
  let errors = '';
  const code = await run(['apt-get', ...patience, ...argv], options, ({ stdout, stderr }) => {
    stdout.on('data', (text) => {
      const progress = String(text).match(/^(Get:|Need to get|Fetched).*\n/gm) || [];
      process.stderr.write(progress.join(''));
    });
    stderr.on('data', (text) => (errors += text));
  });
  return { code, errors };
}

/** Installs what was fetched; `held` are the locks that it keeps alive. */
export async function installPackages(packages, held) {
  say(`installing from Debian: ${packages.join(' ')} (no service is started)`);
  const options = { env: installEnv(), stdio: ['ignore', 2, 2, ...held] };
  const code = await run(['sh', '-c', INSTALL, 'setup', ...packages], options);
  if (code === 0) return;
  refuse(
    'SETUP_FAILED',
    `Cannot install ${packages.join(' ')}: apt-get ended with ${code}`,
    'What apt-get said stands above. Mend it (often with apt-get -f install) and start again.',
  );
}
