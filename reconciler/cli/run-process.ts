import { runCli } from "./run-cli.js";
import { processTerminal } from "./terminal.js";

// Whoever reads the output may stop reading (`firerunner get jobs | head`): that is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? 0 : 1);
});

void runCli(process.argv.slice(2), processTerminal()).then((code) => {
  // A command that had something to say about its outcome has set the exit code itself.
  if (code !== 0) process.exitCode = code;
});
