#!/usr/bin/env node
import { isAtLeast, nodeLeast } from './shared/tools.mjs';

// An old Node.js cannot even read some of the other modules, so they are loaded later.
if (!isAtLeast(process.versions.node, nodeLeast)) {
  process.stderr.write(
    `holdfast: Holdfast needs Node.js ${nodeLeast} or later, and this is ${process.versions.node}. Type: nvm install 20\n`,
  );
  process.exit(4);
}
const [{ hideBin }, { runCommandLine }, { flushAndExit }, { surviveClosedPipes, surviveClosedTerminal }] =
  await Promise.all([
    import('yargs/helpers'),
    import('./command-line.js'),
    import('./commands/lib/exit.js'),
    import('./commands/lib/streams.js'),
  ]);
surviveClosedPipes();
surviveClosedTerminal();
await runCommandLine(hideBin(process.argv));
await flushAndExit();
