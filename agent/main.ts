// The `tidelock` program: it gives the argument vector to the command line and sets the exit code.
// Whatever escapes everything else ends here as one error, never as a stack trace.
import { asTidelockError } from '#agent/base/errors.ts';
import { runCommandLine } from '#agent/cli/commandLine.ts';
import { processTerminal } from '#agent/cli/terminal.ts';
import { errorText } from '#agent/cli/output.ts';

const terminal = processTerminal();
process.once('uncaughtException', (thrown) => {
  const error = asTidelockError(thrown, 'main');
  terminal.err(`${errorText(error)}\n${thrown.stack ?? ''}\n`);
  process.exit(error.exitCode);
});
process.exitCode = await runCommandLine(process.argv.slice(2), terminal);
