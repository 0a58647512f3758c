#!/usr/bin/env node
import { hideBin } from 'yargs/helpers';
import { runCommandLine } from './command-line.js';
import { leave } from './commands/exit.js';
import { surviveClosedPipes, surviveClosedTerminal } from './commands/streams.js';

surviveClosedPipes();
surviveClosedTerminal();
await runCommandLine(hideBin(process.argv));
await leave();
