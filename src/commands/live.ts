import path from 'node:path';
import type { CommandModule } from 'yargs';
import type { LiveRecords } from '../live/export-files.js';
import type { LiveSession } from '../live/live-session.js';
import { type SideName, sideNames } from '../live/protocol.js';
import { messageOf } from '../shared/text.js';
import { openInBrowser } from '../simulator/cluster/processes/run-program.js';
import { Interrupted, LabError } from '../simulator/errors.js';
import type { ListedRun } from '../simulator/history/records.js';
import { exitCodes, runInterruptibly, toHandler } from './lib/exit.js';
import { parseCount } from './lib/flags.js';
import {
  backendsMax,
  defaults,
  type LiveArgs,
  type LiveSetup,
  parseFor,
  setUpLab,
  setUpReplay,
  userCounts,
} from './live/setup.js';

export const live: CommandModule<object, LiveArgs> = {
  command: 'live',
  describe: 'break servers of two real systems in the browser, and watch each user’s session',
  builder: yargs =>
    yargs
      .option('modes', {
        type: 'string',
        array: true,
        requiresArg: true,
        defaultDescription: defaults.modes.join(),
        describe: 'the modes of the left and the right system, a,b; one mode: one system',
      })
      .option('users', {
        type: 'number',
        requiresArg: true,
        defaultDescription: String(defaults.users),
        describe: `simulated users on each side, ${userCounts.min} to ${userCounts.max}`,
      })
      .option('backends', {
        type: 'number',
        requiresArg: true,
        defaultDescription: String(defaults.backends),
        describe: `backends on each side, 1 to ${backendsMax}`,
      })
      .option('seed', {
        type: 'number',
        requiresArg: true,
        defaultDescription: String(defaults.seed),
        describe: 'the seed that decides what the users do; both sides have the same',
      })
      .option('scenario', {
        type: 'string',
        requiresArg: true,
        describe:
          'take the system, the users and the faults of this scenario, a file or the name of a shipped one; its faults strike at their times',
      })
      .option('replay', {
        type: 'string',
        array: true,
        requiresArg: true,
        describe: 'play one or two recorded histories, or the folder of a run; starts no system',
      })
      .option('port', {
        type: 'number',
        default: 8090,
        requiresArg: true,
        describe: 'port of the page on 127.0.0.1; if it is taken, the next free one',
      })
      .option('open', { type: 'boolean', default: false, describe: 'open the page in the browser' })
      .option('for', {
        type: 'string',
        requiresArg: true,
        describe: 'end after this time, such as 90s or 10min; default: at Ctrl-C',
      })
      .option('out', {
        type: 'string',
        default: 'reports',
        requiresArg: true,
        describe: 'folder for live/<time>/: report.html, the histories, scenario.yaml; live/latest is the newest',
      })
      .epilogue('Ctrl-C stops every process, writes the files and ends the page. The page keeps what it shows.')
      .example('$0 live', 'sticky on the left, redis on the right; press k to kill a backend on both sides')
      .example('$0 live --modes jwt,postgres --users 200', 'two other modes, more users')
      .example('$0 live --scenario kill-one --for 2min', 'watch a scenario')
      .example('$0 live --replay reports/kill-one/latest', 'watch a recorded run again'),
  handler: toHandler(args => runInterruptibly((signal, _takeOver, letGo) => runLive(args, signal, letGo))),
};

async function runLive(args: LiveArgs, signal: AbortSignal, letGo: () => Promise<void>): Promise<number> {
  const forMs = args.for === undefined ? undefined : parseFor(args.for);
  const port = parseCount('port', args.port, 0, 65_535);
  const setup = args.replay === undefined ? await setUpLab(args, signal) : await setUpReplay(args, args.replay);
  const [{ LiveSession }, { startLiveServer }, { livePage }, exports] = await Promise.all([
    import('../live/live-session.js'),
    import('../live/live-server.js'),
    import('../live/page-file.js'),
    import('../live/export-files.js'),
  ]);
  const session = new LiveSession({
    ...setup,
    onFailed: ({ side, problem }) => say(`the ${side} side failed: ${problem}`),
  });
  const server = await startLiveServer({
    session,
    page: livePage(),
    port,
    exportFile: name => exports.fileOf(name, recordsOf(session, setup)),
  }).catch(error => {
    throw new LabError(`cannot listen on 127.0.0.1:${port} (${messageOf(error)}). Choose another port with --port.`);
  });
  try {
    greet(setup, args, { port: server.port, address: server.address });
    for (const name of sideNames) {
      const note = session.side(name)?.view().note;
      if (note !== undefined) say(`the ${name} side: ${note}`);
    }
    const failure = await waitForEnd(session, server.origin, signal, forMs);
    const write = async () => {
      const records = recordsOf(session, setup);
      const names = exports.expectedNames(records);
      if (names.length === 0) return [];
      say(`everything is stopped; writing ${names.join(', ')} (Ctrl-C ends this now, and the rest is not written)`);
      await letGo();
      const files = await exports.writeLiveFiles(args.out, records, new Date());
      for (const file of files) process.stdout.write(`${path.basename(file)}: ${file}\n`);
      return files;
    };
    await session.end(describeEnd(signal, failure), setup.lab && write);
    if (failure !== undefined) throw failure;
  } finally {
    await server.close();
  }
  if (signal.aborted) throw new Interrupted();
  return exitCodes.ok;
}

/** Starts the systems. Resolves at Ctrl-C, after the time of `--for`, or with an error when no system could be started. */
async function waitForEnd(
  session: LiveSession,
  origin: string,
  signal: AbortSignal,
  forMs: number | undefined,
): Promise<LabError | undefined> {
  if (signal.aborted) return undefined;
  let timer: NodeJS.Timeout | undefined;
  const ended = new Promise<undefined>(resolve => {
    signal.addEventListener('abort', () => resolve(undefined));
    // A signal of AbortSignal.any with a time-out can be garbage-collected before it fires.
    if (forMs !== undefined) timer = setTimeout(() => resolve(undefined), forMs);
  });
  const failed = session.start(origin).then(() => {
    if (session.isAlive) return ended;
    return new LabError('no system could be started. The lines above say why.');
  });
  return Promise.race([ended, failed]).finally(() => clearTimeout(timer));
}

function describeEnd(signal: AbortSignal, failure: LabError | undefined): string {
  if (failure !== undefined) return 'No system could be started.';
  if (!signal.aborted) return 'The time of --for is over.';
  return signal.reason === 'SIGINT' ? 'The command was stopped by Ctrl-C.' : `The command got ${signal.reason}.`;
}

function greet(
  { settings, modes, lab }: LiveSetup,
  { open, port: wished }: LiveArgs,
  { port, address }: { readonly port: number; readonly address: string },
): void {
  if (port !== wished && wished !== 0) say(`port ${wished} is taken; the next free one is ${port}`);
  const sides = [`${modes.left} on the left`, ...(modes.right === undefined ? [] : [`${modes.right} on the right`])];
  const what = lab === undefined ? 'playing' : `starting, with ${settings.users} users on each side:`;
  say(`${what} ${sides.join(', ')}`);
  process.stdout.write(`open this address: ${address}\n`);
  const problem = open ? openInBrowser(address) : undefined;
  if (problem !== undefined) say(`--open: ${problem}; open the address yourself`);
}

/** Returns the histories of the sides that have one. */
function recordsOf(session: LiveSession, { lab }: LiveSetup): LiveRecords {
  const records: { [name in SideName]?: ListedRun } = {};
  for (const name of sideNames) {
    const run = session.side(name)?.record();
    if (run !== undefined && run.operations.length > 0) records[name] = run;
  }
  return { ...records, lab };
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
