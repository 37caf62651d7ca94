// `tidelock agent run`: loads the configuration, hands it to the agent, and turns a signal to stop
// into its graceful end.
import { systemClock } from '#agent/base/clock.ts';
import { EXIT } from '#agent/base/codes.ts';
import { effectiveConfig, loadConfig } from '#agent/config.ts';
import { configWarnings } from '#agent/configWarnings.ts';
import { createLog, EventRing } from '#agent/log.ts';
import { VERSION } from '#agent/version.ts';
import { CONFIG_FLAGS, configSources } from './configFlags.ts';
import { defineVerb } from './verb.ts';

const EVENTS_KEPT = 50;
const LONG_MS = 3_600_000;

/** `tidelock agent run`. */
export const agentRun = defineVerb({
  name: 'agent run',
  flags: CONFIG_FLAGS,
  about:
    'Runs the agent of this node until SIGTERM or SIGINT. The log goes to standard error, one JSON object a line.',
  example: 'tidelock agent run --config /etc/tidelock/config.yaml',
  run: async ({ flags, terminal }) => {
    const config = await loadConfig(configSources(flags, terminal));
    const events = new EventRing(EVENTS_KEPT);
    const log = createLog({
      level: config.log.level,
      clock: systemClock,
      write: terminal.err,
      ring: events,
    });
    log.info('agent.start', {
      text: `tidelock ${VERSION} starts on ${config.node}`,
      config: effectiveConfig(config),
    });
    for (const warning of configWarnings(config)) log.warn('config.warning', { text: warning });
    const { runAgent } = await import('#agent/app.ts');
    // While the bus is away and nothing listens yet there are only timers of a clock, which keep no process alive.
    const alive = setInterval(() => undefined, LONG_MS);
    try {
      await runAgent(config, { clock: systemClock, log, events, signal: terminal.stopSignal() });
    } finally {
      clearInterval(alive);
    }
    return EXIT.ok;
  },
});
