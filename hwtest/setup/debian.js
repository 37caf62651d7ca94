// The Debian half of the setup: the programs that the rig is made of, and installing those that are
// missing without their services being started, now or at the next boot. Runs under the machine's
// Node, see steps.js.
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { firstLine, installEnv, isProgram, refuse, run, say } from '#hwtest/setup/steps.js';

/** Package -> programs it is needed for, and the services it would start and enable. */
const PACKAGES = {
  swtpm: { programs: ['swtpm'] },
  'swtpm-tools': { programs: ['swtpm_setup', 'swtpm_localca', 'swtpm_ioctl'] },
  'tpm2-tools': { programs: ['tpm2'] },
  'nats-server': { programs: ['nats-server'], services: ['nats-server'] },
  nftables: { programs: ['nft'] },
  iproute2: { programs: ['ip', 'tc', 'ss'] },
  'nginx-light': { programs: ['nginx'], services: ['nginx'] },
  'redis-server': { programs: ['redis-server'], services: ['redis-server'] },
  'redis-tools': { programs: ['redis-cli', 'redis-benchmark'] },
  curl: { programs: ['curl'] },
  tcpdump: { programs: ['tcpdump'] },
  bpftrace: { programs: ['bpftrace'] },
  'util-linux': { programs: ['nsenter', 'setpriv', 'unshare'] },
};

/** What Debian asks before it starts a service that it has just installed. */
const POLICY = '/usr/sbin/policy-rc.d';
const MARK = 'Written by the setup of tidelock';

/**
 * Installs packages ($1) and disables their services ($2). The policy that denies their start names
 * only these ($3, a case pattern), expires with this shell, so that one which outlives a kill -9
 * denies nothing, and is not written where the machine has a policy of its own.
 */
const INSTALL = `
if [ ! -e ${POLICY} ]; then
  trap 'rm -f ${POLICY}' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  cat > ${POLICY} <<END
#!/bin/sh
# ${MARK}, and removed by it when the installation ends.
case "\\$1" in $3) kill -0 $$ 2>/dev/null && exit 101 ;; esac
exit 0
END
  chmod 755 ${POLICY}
fi
dpkg --configure -a &&
  apt-get -q -y -f --no-install-recommends -o DPkg::Lock::Timeout=600 install $1 || exit
for service in $2; do
  if command -v systemctl > /dev/null; then systemctl --quiet disable "$service"
  elif [ -e "/etc/init.d/$service" ]; then update-rc.d "$service" disable
  fi
done
exit 0
`;

/** Names of the packages whose programs this machine lacks. */
export const missingPackages = () =>
  Object.keys(PACKAGES).filter((name) => !PACKAGES[name].programs.every(isProgram));

/** Whether an installation was killed and its policy is still there; it denies nothing any more. */
export function policyLeftBehind() {
  try {
    return readFileSync(POLICY, 'utf8').includes(MARK);
  } catch {
    return false; // the usual case: there is none
  }
}

/** Removes it. Only under the lock of the packages, else it could be that of a setup at work. */
export const removePolicy = () => rmSync(POLICY, { force: true });

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
  const services = packages.flatMap((name) => PACKAGES[name].services || []);
  const pattern = services.flatMap((name) => [name, `${name}.service`]).join('|') || 'none';
  const argv = ['sh', '-c', INSTALL, 'setup', packages.join(' '), services.join(' '), pattern];
  const code = await run(argv, { env: installEnv(), stdio: ['ignore', 2, 2, ...held] });
  if (code === 0) return;
  refuse(
    'SETUP_FAILED',
    `Cannot install ${packages.join(' ')}: apt-get ended with ${code}`,
    'What apt-get said stands above. Mend it (often with apt-get -f install) and start again.',
  );
}
