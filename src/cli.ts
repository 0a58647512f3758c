#!/usr/bin/env node
import { hideBin } from 'yargs/helpers';
import { runCommandLine } from './command-line.js';
import { flushAndExit } from './commands/lib/exit.js';
import { surviveClosedPipes, surviveClosedTerminal } from './commands/lib/streams.js';

surviveClosedPipes();
surviveClosedTerminal();
await runCommandLine(hideBin(process.argv));
await flushAndExit();
