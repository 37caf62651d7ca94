// `tidelock completion`: the completion script of a shell, made of the table of verbs at the moment it is
// asked for; and the names of this node's pods, which those scripts ask for.
import { EXIT } from '#agent/base/codes.ts';
import { statusSchema } from '#agent/api/status.ts';
import { bashScript } from '#agent/cli/completion/bash.ts';
import { fishScript } from '#agent/cli/completion/fish.ts';
import { shapesOf } from '#agent/cli/completion/shape.ts';
import { zshScript } from '#agent/cli/completion/zsh.ts';
import { AGENT_FLAGS, askAgentOf } from './agentSocket.ts';
import { usage } from './arguments.ts';
import { printResult } from './output.ts';
import { defineVerb } from './verb.ts';
import { VERBS } from './verbs.ts';

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;

/** `tidelock completion`. */
export const completion = defineVerb({
  name: 'completion',
  operands: { form: '<bash|zsh|fish|pods>', min: 1, max: 1 },
  flags: AGENT_FLAGS,
  about:
    'Prints the completion script of a shell. `pods` prints the names of this node’s pods, which the scripts ask for: that needs a running agent and root.',
  example:
    'source <(tidelock completion bash)\ntidelock completion zsh > "${fpath[1]}/_tidelock"\ntidelock completion fish > ~/.config/fish/completions/tidelock.fish',
  run: async (invocation) => {
    const [wanted = ''] = invocation.operands;
    if (wanted === 'pods') {
      const { pods } = await askAgentOf('completion', invocation, '/status', statusSchema);
      const names = pods.map(({ namespace, name }) => `${namespace}/${name}`);
      printResult(invocation, 'Pods', { names }, names.join('\n'));
      return EXIT.ok;
    }
    if (!isShell(wanted)) {
      throw usage(
        'completion',
        `${JSON.stringify(wanted.slice(0, 80))} is none of bash, zsh, fish`,
      );
    }
    const script = SCRIPTS[wanted](await shapesOf(VERBS));
    printResult(invocation, 'Completion', { shell: wanted, script }, script);
    return EXIT.ok;
  },
});

const isShell = (word: string): word is keyof typeof SCRIPTS => Object.hasOwn(SCRIPTS, word);
