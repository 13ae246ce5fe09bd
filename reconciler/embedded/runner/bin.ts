import { FireRunnerError } from "../../model/errors.js";
import { runRunnerCommand } from "./runner-command.js";

// Started once for every microVM of the embedded hosts: what it imports is kept small.
try {
  process.exitCode = await runRunnerCommand(process.argv.slice(2), {
    env: process.env,
    say: (line) => process.stderr.write(`${line}\n`),
    once: (signal, listener) => process.once(signal, listener),
  });
} catch (caught) {
  process.stderr.write(`${FireRunnerError.from(caught).message}\n`);
  process.exitCode = 2;
}
