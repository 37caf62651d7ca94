// The unmodified programs that pods run: nginx with a canary document, and redis-server. Each has its
// own configuration and directory, listens on the pod's addresses and knows nothing of tidelock.
import { mkdirSync, writeFileSync } from 'node:fs';
import { spawnIn, waitListening, type Place, type Program } from './program.ts';

export const HTTP_PORT = 8080;
export const REDIS_PORT = 6379;

/** Sizes of the documents that nginx serves as `/<size>`, in bytes. */
export const DOCUMENT_SIZES = [1_024, 65_536, 1_048_576] as const;

/** nginx with `/canary`, one document a size, and `/peer`, which says whom it sees. Errors: RIG_PROGRAM. */
export async function startNginx(place: Place, dir: string, canary: string): Promise<Program> {
  const root = `${dir}/www`;
  mkdirSync(root, { recursive: true });
  writeFileSync(`${root}/canary`, `${canary}\n`);
  for (const size of DOCUMENT_SIZES) writeFileSync(`${root}/${size}`, 'x'.repeat(size));
  const config = `${dir}/nginx.conf`;
  writeFileSync(config, nginxConfig(dir, root));
  const argv = ['nginx', '-p', dir, '-c', config, '-e', `${dir}/error.log`] as const;
  const nginx = spawnIn(place, argv, { name: 'nginx', logFile: `${dir}/nginx.log`, cwd: dir });
  await waitListening(nginx, HTTP_PORT);
  return nginx;
}

/** redis-server without persistence. Errors: RIG_PROGRAM. */
export async function startRedis(place: Place, dir: string): Promise<Program> {
  mkdirSync(dir, { recursive: true });
  const config = `${dir}/redis.conf`;
  writeFileSync(config, redisConfig(dir));
  const redis = spawnIn(place, ['redis-server', config], {
    name: 'redis-server',
    logFile: `${dir}/redis.log`,
    cwd: dir,
  });
  await waitListening(redis, REDIS_PORT);
  return redis;
}

/** No persistence; reachable from other pods without a password, as in-cluster caches often are. */
const redisConfig = (dir: string): string => `
port ${REDIS_PORT}
dir ${dir}
save ""
appendonly no
protected-mode no
`;

const nginxConfig = (dir: string, root: string): string => `
user root;
daemon off;
worker_processes 1;
pid ${dir}/nginx.pid;
events { worker_connections 1024; }
http {
  access_log off;
  default_type application/octet-stream;
  client_body_temp_path ${dir}/body;
  proxy_temp_path ${dir}/proxy;
  fastcgi_temp_path ${dir}/fastcgi;
  uwsgi_temp_path ${dir}/uwsgi;
  scgi_temp_path ${dir}/scgi;
  keepalive_requests 1000000;
  server {
    listen ${HTTP_PORT};
    root ${root};
    location = /peer { return 200 "$remote_addr $remote_port\n"; }
  }
}
`;
