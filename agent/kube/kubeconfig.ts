// A kubeconfig file, as far as a node agent needs one: one server by TLS, and a token or a client certificate for
// it. Everything that would run a program, send a credential in the clear or believe any server is refused.
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Cluster, User } from '@kubernetes/client-node';
import { parse } from 'yaml';
import { z } from 'zod';
import { messageOf, TidelockError } from '#agent/base/errors.ts';
import { problemsOf } from '#agent/base/schema.ts';

const text = z
  .string()
  .min(1)
  .max(1 << 16);
const absent = (why: string) => z.undefined({ error: why }).optional();
const NO_PROGRAM = 'is not supported: a node agent runs no program for its credentials';

const cluster = z.looseObject({
  server: text.refine((url) => /^https:\/\/[^@\s]+$/.test(url), { error: 'must be https://' }),
  'certificate-authority': text.optional(),
  'certificate-authority-data': text.optional(),
  'tls-server-name': text.optional(),
  'insecure-skip-tls-verify': z
    .literal(false, { error: 'is refused: anybody could take the token' })
    .optional(),
  'proxy-url': absent('is not supported'),
});

const user = z.looseObject({
  token: text.optional(),
  tokenFile: text.optional(),
  'client-certificate': text.optional(),
  'client-certificate-data': text.optional(),
  'client-key': text.optional(),
  'client-key-data': text.optional(),
  exec: absent(NO_PROGRAM),
  'auth-provider': absent(NO_PROGRAM),
  username: absent('is not supported: no API server takes passwords any more'),
  as: absent('is not supported'),
});

const kubeconfig = z.looseObject({
  'current-context': text,
  contexts: z.array(
    z.looseObject({ name: text, context: z.looseObject({ cluster: text, user: text }) }),
  ),
  // Only the named ones are judged: the file may have others, which are nobody's business here.
  clusters: z.array(z.looseObject({ name: text, cluster: z.unknown() })),
  users: z.array(z.looseObject({ name: text, user: z.unknown() })),
});

/** What the current context of a kubeconfig says. */
export interface Kubeconfig {
  readonly cluster: Cluster;
  readonly user: User;
}

/** Reads `file`; paths in it count from its folder. Errors: KUBE_DENIED. */
export function readKubeconfig(file: string): Kubeconfig {
  const dir = dirname(file);
  const place = (path: string | undefined): { readonly file?: string } =>
    path === undefined ? {} : { file: resolve(dir, path) };
  const whole = judged(file, kubeconfig, parsed(file));
  const current = whole.contexts.find(({ name }) => name === whole['current-context'])?.context;
  const server = judged(
    file,
    cluster,
    whole.clusters.find(({ name }) => name === current?.cluster)?.cluster,
  );
  const who = judged(file, user, whole.users.find(({ name }) => name === current?.user)?.user);
  const { file: caFile } = place(server['certificate-authority']);
  const { file: certFile } = place(who['client-certificate']);
  const { file: keyFile } = place(who['client-key']);
  const { file: tokenFile } = place(who.tokenFile);
  return {
    cluster: {
      name: 'cluster',
      server: server.server.replace(/\/$/, ''),
      skipTLSVerify: false,
      ...defined({
        caFile,
        caData: server['certificate-authority-data'],
        tlsServerName: server['tls-server-name'],
      }),
    },
    user: {
      name: 'user',
      ...defined({
        token: tokenFile === undefined ? who.token : undefined,
        certFile,
        certData: who['client-certificate-data'],
        keyFile,
        keyData: who['client-key-data'],
        // By this name the client library reads the file again and again.
        authProvider:
          tokenFile === undefined ? undefined : { name: 'tokenFile', config: { tokenFile } },
      }),
    },
  };
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

const defined = <T extends object>(members: T): Defined<T> =>
  Object.fromEntries(
    Object.entries(members).filter(([, value]) => value !== undefined),
  ) as Defined<T>;

function parsed(file: string): unknown {
  try {
    return parse(readFileSync(file, 'utf8')) as unknown;
  } catch (cause) {
    throw unfit(file, messageOf(cause).split('\n')[0] ?? '', cause);
  }
}

function judged<T>(file: string, schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw unfit(file, problemsOf(result.error).slice(0, 5).join('; '));
}

const unfit = (file: string, why: string, cause?: unknown): TidelockError =>
  new TidelockError('KUBE_DENIED', {
    op: 'kube.access',
    message: `Cannot use the kubeconfig ${file}: ${why}`,
    hint: 'kubernetes.kubeconfig must name a file whose current context has an https server and a token, a tokenFile or a client certificate; without it the agent uses the service account of its pod.',
    cause,
  });
