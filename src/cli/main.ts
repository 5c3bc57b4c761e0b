#!/usr/bin/env node
// Imports the program at run time, so that a failure to load it becomes a message. Node opens all modules of a program at
// once; if the limit of open files is too low, it reports a missing module.
try {
  const args = process.argv.slice(2);
  const { asksHelp, baretProgram } = await import("./program.ts");
  const program = await baretProgram(args);
  if (asksHelp(args)) program.outputHelp();
  else await (await import("./run.ts")).runProgram(program);
} catch (error) {
  const [message] = String(error).split("\n");
  process.stderr.write(
    `baret cannot start: ${process.env.BARET_DEBUG && error instanceof Error ? error.stack : message}\n` +
      "Either the limit of open files is too low (ulimit -n 1024 raises it), or the installation is incomplete.\n",
  );
  process.exitCode = 1;
}
