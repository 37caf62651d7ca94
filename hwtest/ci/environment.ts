// A rig as environment variables, for the steps of a pipeline that come after `rig up`.
import type { Facts } from './state.ts';

/** `TIDELOCK_RIG_...` by name; nodes and pods by theirs, `node-a` as NODE_A. */
export function environmentOf(facts: Facts): ReadonlyMap<string, string> {
  const { id, bus, owner, ekRoots, nodes, pods } = facts;
  return new Map([
    ['TIDELOCK_RIG_ID', id],
    ['TIDELOCK_RIG_BUS_URL', bus.url],
    ['TIDELOCK_RIG_BUS_CA', bus.ca],
    ['TIDELOCK_RIG_BUS_CREDENTIALS', bus.credentials],
    ['TIDELOCK_RIG_OWNER', owner],
    ['TIDELOCK_RIG_EK_ROOTS', ekRoots],
    ...nodes.flatMap(({ name, address, netns, socket, config, tcti, eventLog, log }) =>
      prefixed(name, { address, netns, socket, config, tcti, eventLog, log }),
    ),
    ...pods.flatMap(({ name, node, address, netns }) => prefixed(name, { node, address, netns })),
  ]);
}

const prefixed = (name: string, values: Readonly<Record<string, string>>): [string, string][] =>
  Object.entries(values).map(([key, value]) => [
    `TIDELOCK_RIG_${capitals(name)}_${capitals(key)}`,
    value,
  ]);

const capitals = (text: string): string =>
  text.replace(/[A-Z]/g, '_$&').replaceAll('-', '_').toUpperCase();

/** Lines for `eval` in a shell. */
export const asShell = (variables: ReadonlyMap<string, string>): string =>
  [...variables]
    .map(([key, value]) => `export ${key}='${value.replaceAll("'", `'\\''`)}'\n`)
    .join('');

/** `KEY=VALUE` lines, as $GITHUB_ENV and dotenv reports take them. */
export const asDotenv = (variables: ReadonlyMap<string, string>): string =>
  [...variables].map(([key, value]) => `${key}=${value}\n`).join('');
