#!/usr/bin/env node
// Imported at run time, so that a failure to load the program is a message. Node opens all modules of a program at once; if
// too few files may be open, it even says that a module is missing.
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
      "Either too few files may be open at once (ulimit -n 1024 allows more), or the installation is not complete.\n",
  );
  process.exitCode = 1;
}
