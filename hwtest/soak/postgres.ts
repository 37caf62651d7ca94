// PostgreSQL and pgbench as programs of a rig. The server refuses to run as root: it runs as nobody, with the
// right to pass directories of others, since those of a rig are root's alone.
import { appendFileSync, closeSync, existsSync, openSync, readdirSync, readSync } from 'node:fs';
import { TidelockError } from '#agent/base/errors.ts';
import { spawnIn, execIn, waitListening, type Argv, type Program } from '#hwtest/rig/program.ts';
import type { RigPod } from '#hwtest/rig/rig.ts';
import type { ClientPlan } from './client.ts';

const POSTGRES_PORT = 5432;

/** Where Debian puts the programs of each major version. */
const VERSIONS = '/usr/lib/postgresql';
const USER = 'soak';
const DATABASE = 'postgres';
const NOBODY = 65_534;
/**
 * With the System V memory of its own that the server leaves behind when it is killed. No user namespace: a
 * chroot can have none (unshare(2), EPERM).
 */
const AS_NOBODY = [
  'unshare',
  '--ipc',
  '--',
  'setpriv',
  `--reuid=${NOBODY}`,
  `--regid=${NOBODY}`,
  '--clear-groups',
  '--inh-caps=+dac_override',
  '--ambient-caps=+dac_override',
  '--',
] as const satisfies Argv;
const CONNECTIONS = 4;
const TRANSACTIONS_PER_SECOND = 40;

/** The newest version's program of that name. Errors: RIG_PREREQUISITE. */
function programOf(name: string): string {
  const versions = (() => {
    try {
      return readdirSync(VERSIONS).map(Number).filter(Number.isInteger);
    } catch {
      return [];
    }
  })();
  if (versions.length > 0) return `${VERSIONS}/${Math.max(...versions)}/bin/${name}`;
  throw new TidelockError('RIG_PREREQUISITE', {
    op: 'soak.postgres',
    message: 'Cannot run the soak: PostgreSQL is not installed',
    hint: 'npm run soak installs it; by hand: apt-get install --no-install-recommends postgresql',
  });
}

/** PostgreSQL with the tables of pgbench. Errors: RIG_PREREQUISITE, RIG_PROGRAM, those of `run`. */
export async function startPostgres({ place, dir }: RigPod): Promise<Program> {
  const data = `${dir}/postgres`;
  const init = ['--username', USER, '--auth=trust', '--no-sync', '-D', data];
  await execIn(place, [...AS_NOBODY, programOf('initdb'), ...init]);
  appendFileSync(`${data}/pg_hba.conf`, 'host all all 0.0.0.0/0 trust\n');
  const settings = ['listen_addresses=*', 'unix_socket_directories=', 'fsync=off'];
  const argv: Argv = [
    ...AS_NOBODY,
    programOf('postgres'),
    '-D',
    data,
    ...settings.flatMap((setting) => ['-c', setting]),
  ];
  const server = spawnIn(place, argv, { name: 'postgres', logFile: `${dir}/postgres.log` });
  await waitListening(server, POSTGRES_PORT);
  await execIn(place, [programOf('pgbench'), '-h', '127.0.0.1', '-U', USER, '-i', '-q', DATABASE]);
  return server;
}

/** pgbench at a fixed rate, on connections that stay open; `dir` is for its log of transactions. */
export function pgbench(host: string, dir: string): ClientPlan {
  const log = `${dir}/pgbench`;
  const logs = new Map<number, () => readonly string[]>();
  return {
    argv: [
      programOf('pgbench'),
      ...`-h ${host} -U ${USER} -n -T 86400 -c ${CONNECTIONS} -R ${TRANSACTIONS_PER_SECOND}`.split(
        ' ',
      ),
      ...`-l --log-prefix ${log} ${DATABASE}`.split(' '),
    ],
    hear: (line, run) => {
      if (/error:/.test(line)) run.failed(line);
    },
    look: ({ pid, account }) => {
      const added = logs.get(pid) ?? linesAddedTo(`${log}.${pid}`);
      logs.set(pid, added);
      account.answered(...added().map(tookMs));
    },
  };
}

/** pgbench(1), "Per-Transaction Logging": the third column holds microseconds, the wait of the last included. */
function tookMs(line: string): number {
  const columns = line.split(' ').map(Number);
  return ((columns[2] ?? NaN) - (columns[6] ?? 0)) / 1_000;
}

/** Each call gives the lines that were added to a file since the one before; none while it is not there. */
function linesAddedTo(path: string): () => readonly string[] {
  const piece = Buffer.alloc(64 << 10);
  let offset = 0;
  let rest = '';
  return () => {
    if (!existsSync(path)) return [];
    const fd = openSync(path, 'r');
    for (;;) {
      const length = readSync(fd, piece, 0, piece.length, offset);
      if (length === 0) break;
      offset += length;
      rest += piece.toString('latin1', 0, length);
    }
    closeSync(fd);
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    return lines;
  };
}
