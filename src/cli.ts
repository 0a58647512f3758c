#!/usr/bin/env node
import { hideBin } from 'yargs/helpers';
import { runCommandLine } from './command-line.js';
import { surviveClosedPipes } from './commands/streams.js';

surviveClosedPipes();
await runCommandLine(hideBin(process.argv));
