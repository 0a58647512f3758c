import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { CommandModule } from 'yargs';
import type { ModeName } from '../modes.js';
import type { Inferred, Passes, Typed } from '../record/recording.js';
import { commandLine } from '../shared/package.js';
import { messageOf } from '../shared/text.js';
import { rejectOnAbort } from '../simulator/errors.js';
import type { StarterApp } from '../simulator/scenario/starter.js';
import { exitCodes, runInterruptibly, toHandler } from './lib/exit.js';
import { parseCount, parseMode, UsageError } from './lib/flags.js';
import type { AppFlags } from './record/app.js';
import { askQuestion, chooseCandidate, describeQuestion, Terminal } from './record/terminal.js';

interface RecordArgs extends AppFlags {
  /** Words without `--` before them. */
  readonly command: readonly string[] | undefined;
  readonly har: readonly string[] | undefined;
  readonly mode: string;
  readonly users: string | undefined;
  readonly items: string | undefined;
  readonly port: number;
  readonly open: boolean;
  readonly answer: readonly string[] | undefined;
  readonly out: string;
  readonly save: string | undefined;
}

const usualUsers = ['hf-user-1', 'hf-user-2'] as const;
const usualItems = ['hf-item-1', 'hf-item-2'] as const;

export const record: CommandModule<object, RecordArgs> = {
  command: 'record [command..]',
  describe: 'write the scenario of your own app by clicking through it three times in your browser',
  builder: yargs =>
    yargs
      .positional('command', { type: 'string', array: true, describe: 'after --: how the app is started' })
      .option('backend', { type: 'string', requiresArg: true, describe: 'an app that runs already, on loopback' })
      .option('har', {
        type: 'string',
        array: true,
        requiresArg: true,
        describe: 'take the passes from HAR files of a browser: one with all three, or three in order',
      })
      .option('mode', {
        type: 'string',
        default: 'sticky',
        requiresArg: true,
        describe: 'the mode of the scenario; its store is started for the app',
      })
      .option('directory', { type: 'string', requiresArg: true, describe: 'where the command is run; default: here' })
      .option('ready', {
        type: 'string',
        requiresArg: true,
        defaultDescription: '/',
        describe: 'a path that answers 200 to 299 without a login',
      })
      .option('env', {
        type: 'string',
        array: true,
        requiresArg: true,
        describe: 'a variable of the app, such as REDIS_URL={redis}; PORT is always set',
      })
      .option('users', {
        type: 'string',
        requiresArg: true,
        defaultDescription: usualUsers.join(),
        describe: 'the two names under which you log in, if the app has fixed accounts',
      })
      .option('items', {
        type: 'string',
        requiresArg: true,
        defaultDescription: usualItems.join(),
        describe: 'the two texts that you add',
      })
      .option('port', {
        type: 'number',
        default: 7700,
        requiresArg: true,
        describe: 'port of the recording on 127.0.0.1; if it is taken, the next free one',
      })
      .option('open', { type: 'boolean', default: false, describe: 'open the page in the browser' })
      .option('answer', {
        type: 'string',
        array: true,
        requiresArg: true,
        describe: 'the answer to a question, as question=candidate',
      })
      .option('out', {
        type: 'string',
        default: 'holdfast.yaml',
        requiresArg: true,
        describe: 'the scenario to write; an existing file is never overwritten',
      })
      .option('save', {
        type: 'string',
        requiresArg: true,
        describe: 'keep the passes in this HAR file, passwords and cookies too',
      })
      .example('$0 record -- npm start', 'PORT is in the environment of the app')
      .example('$0 record --backend http://127.0.0.1:3000', 'an app that runs already')
      .example('$0 record --har pass-1.har pass-2.har pass-3.har -- npm start', 'what a browser has recorded'),
  handler: toHandler(args => runInterruptibly(signal => recordJourney(args, signal), 'stopping: ending the app')),
};

/** The meaning of the flags. */
interface Wanted {
  readonly typed: readonly [Typed, Typed];
  readonly names: StarterApp['names'];
  readonly system: StarterApp['system'];
  readonly mode: ModeName;
  /** Answers to the questions of the command, each as `question=candidate`. */
  readonly answers: readonly string[];
}

async function recordJourney(args: RecordArgs, signal: AbortSignal): Promise<number> {
  refuseFile('out', args.out);
  refuseFile('save', args.save);
  const wanted = await readFlags(args);
  const terminal = process.stdin.isTTY ? new Terminal() : undefined;
  try {
    const found = await findPasses(args, wanted, terminal, signal);
    let saved: string | undefined;
    let code: number | undefined;
    try {
      saved = await savePasses(found, args);
      code = await writeJourney(found.passes, args, { ...wanted, terminal }, signal);
      return code;
    } finally {
      if (code !== exitCodes.ok) await tellKept(found, args, saved);
    }
  } finally {
    terminal?.close();
  }
}

/** Writes the passes to the file of `--save`, if it was given, and returns its name. */
async function savePasses({ passes, origin }: FoundPasses, { save }: RecordArgs): Promise<string | undefined> {
  if (save === undefined || origin === undefined) return undefined;
  const { writePasses } = await import('./record/app.js');
  try {
    writePasses(save, { passes, origin });
  } catch (error) {
    throw new UsageError(`--save: "${save}" cannot be written (${messageOf(error)}).`);
  }
  process.stdout.write(`the passes are in ${save}. This file holds passwords and cookies, and only you can read it.\n`);
  return save;
}

/**
 * Keeps the clicks of the person, and says where. `saved`: the file in which they are already. Passes of a HAR file are in
 * a file, too.
 */
async function tellKept({ passes, origin }: FoundPasses, args: RecordArgs, saved: string | undefined): Promise<void> {
  if (origin === undefined) return;
  const { keepPasses } = await import('./record/app.js');
  process.stderr.write(keepPasses({ passes, origin }, args, wordsOfApp(), saved));
}

/** Infers the journey, writes the scenario, and checks it. Returns the exit code. */
async function writeJourney(
  passes: Passes,
  { out }: RecordArgs,
  wanted: Wanted & Asking,
  signal: AbortSignal,
): Promise<number> {
  const { journey, notes, asked } = await inferByQuestions(passes, wanted, signal);
  const unasked = wanted.answers.filter(given => !asked.some(id => given.startsWith(`${id}=`)));
  for (const given of unasked) process.stdout.write(`! --answer ${given}: the passes leave no such question\n`);
  signal.throwIfAborted();
  const { mode, system, names } = wanted;
  const { writeStarter } = await import('../simulator/scenario/starter.js');
  await writeFile(out, writeStarter({ mode, system, names, journey, notes }), { flag: 'wx' });
  wanted.terminal?.close();
  process.stdout.write(`\n${out} is written. It holds the password as you typed it: use an account for tests only.\n`);
  if (system === undefined) {
    process.stdout.write(`fill in how the app is started, under system. next: ${commandLine('check', out)}\n`);
    return exitCodes.ok;
  }
  const { checkJourney } = await import('./check.js');
  return checkJourney({ scenario: out, mode }, signal);
}

function refuseFile(flag: string, file: string | undefined): void {
  if (file === undefined) return;
  if (existsSync(file))
    throw new UsageError(`--${flag}: "${file}" exists already and is not overwritten. Choose another name.`);
  const folder = path.dirname(path.resolve(file));
  const lack = isFolder(folder) ? (isWritable(folder) ? undefined : 'is not writable') : 'does not exist';
  if (lack !== undefined)
    throw new UsageError(
      `--${flag}: the folder "${path.dirname(file)}" ${lack}, expected a file in a folder that can be written.`,
    );
}

function isFolder(folder: string): boolean {
  return statSync(folder, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function readFlags(args: RecordArgs): Promise<Wanted> {
  const { chooseNames, parsePair, readSystem } = await import('./record/app.js');
  if (args.command !== undefined && args.command.length > 0)
    throw new UsageError(`write -- before the command: ${commandLine('record', '--', ...args.command)}`);
  if (args.har !== undefined && args.save !== undefined)
    throw new UsageError('--har and --save exclude each other: the passes are in a file already.');
  const system = readSystem(args, wordsOfApp(), path.dirname(path.resolve(args.out)));
  if (system === undefined && args.har === undefined)
    throw new UsageError(
      `which app? Such as: ${commandLine('record', '--', 'npm', 'start')}, or --backend http://127.0.0.1:3000`,
    );
  const users = parsePair('users', args.users, usualUsers);
  const items = parsePair('items', args.items, usualItems);
  const typed = [
    { user: users[0], item: items[0] },
    { user: users[1], item: items[1] },
  ] as const;
  const { answer: answers = [] } = args;
  const strange = answers.find(given => !/.=./.test(given));
  if (strange !== undefined) throw new UsageError(`--answer: found "${strange}", expected question=candidate.`);
  return { typed, names: chooseNames(typed, args.users !== undefined), system, mode: parseMode(args.mode), answers };
}

/** Returns the words after `--`: how the app is started. */
function wordsOfApp(): readonly string[] {
  const end = process.argv.indexOf('--');
  return end === -1 ? [] : process.argv.slice(end + 1);
}

interface FoundPasses {
  readonly passes: Passes;
  /** The origin of the app while it was recorded. Absent for passes of HAR files. */
  readonly origin?: string;
}

async function findPasses(
  args: RecordArgs,
  { system, mode, typed }: Wanted,
  terminal: Terminal | undefined,
  signal: AbortSignal,
): Promise<FoundPasses> {
  if (args.har !== undefined) {
    const { readHar, splitPasses } = await import('../record/har.js');
    return { passes: splitPasses(await Promise.all(args.har.map(readHar)), typed) };
  }
  const port = args.port === 0 ? 0 : parseCount('port', args.port, 1024, 65_535);
  const [{ parseApp }, { clickPasses }, { oneBackend }] = await Promise.all([
    import('./record/app.js'),
    import('./record/click.js'),
    import('./lib/asked-scenario.js'),
  ]);
  const spec = oneBackend(parseApp(system, mode, args.out), mode);
  return clickPasses({ spec, typed, port, open: args.open, terminal }, signal);
}

/** Where the answers to questions come from. */
interface Asking extends Pick<Wanted, 'answers'> {
  readonly terminal: Terminal | undefined;
}

/** Infers the journey. Asks one question at a time, until nothing is open. Rejects with `Interrupted` on abort. */
async function inferByQuestions(
  passes: Passes,
  { answers: given, terminal }: Asking,
  signal: AbortSignal,
): Promise<Extract<Inferred, { kind: 'journey' }> & { readonly asked: readonly string[] }> {
  const { inferJourney } = await import('../record/infer/infer-journey.js');
  const answers = new Map<string, string>();
  for (;;) {
    const inferred = inferJourney(passes, answers);
    if (inferred.kind === 'journey') return { ...inferred, asked: [...answers.keys()] };
    if (inferred.kind === 'problem') throw new UsageError(inferred.problem);
    const { question } = inferred;
    const flag = given.find(each => each.startsWith(`${question.id}=`))?.slice(question.id.length + 1);
    const answer =
      flag === undefined
        ? await rejectOnAbort(
            askQuestion(question, terminal, text => process.stdout.write(text)),
            signal,
          )
        : chooseCandidate(question, flag);
    if (answer === undefined) throw new UsageError(`There is no terminal to ask. ${describeQuestion(question)}`);
    answers.set(question.id, answer);
  }
}
