import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface, type Interface } from 'node:readline';
import type { Passes, Question, Typed } from '../../record/recording.js';
import { type ControlState, type RecordingServer, startRecordingServer } from '../../record/recording-server.js';
import { quoteForShell } from '../../shared/text.js';
import type { LabCluster } from '../../simulator/cluster/cluster.js';
import { openInBrowser } from '../../simulator/cluster/processes/run-program.js';
import { type ClusterSpec, startCluster } from '../../simulator/cluster/start-cluster.js';
import { BootFailed, LabError, rejectOnAbort } from '../../simulator/errors.js';
import { clean } from '../../simulator/scenario/yaml.js';
import { UsageError } from '../lib/flags.js';

export interface ClickOptions {
  readonly spec: ClusterSpec;
  readonly typed: readonly [Typed, Typed];
  readonly port: number;
  readonly open: boolean;
  readonly terminal: Terminal | undefined;
}

export interface Clicked {
  readonly passes: Passes;
  /** The origin of the app while it was recorded. */
  readonly origin: string;
}

/** Starts the app and the recording proxy, and lets the person click. Ends both when the passes are done, and on abort. */
export async function clickPasses(options: ClickOptions, signal: AbortSignal): Promise<Clicked> {
  let fail: (error: Error) => void = () => {};
  const ended = new Promise<never>((_resolve, reject) => (fail = reject));
  ended.catch(() => undefined);
  let running: LabCluster | undefined;
  const cluster = await startCluster(options.spec, signal, (name, state) => {
    const member = state === 'dead' ? running?.member(name) : undefined;
    if (member?.role === 'backend') fail(new LabError(`the app has ended: ${member.describe()}`));
  }).catch(error => {
    throw error instanceof BootFailed ? new LabError(`${error.message}\n${readyHint}`) : error;
  });
  running = cluster;
  try {
    await expectApp(cluster.proxyUrl, signal);
    const show = makePrinter();
    const server = await startRecordingServer({
      app: cluster.proxyUrl,
      typed: options.typed,
      port: options.port,
      onChange: show,
    });
    try {
      greet(server, options);
      show(server.state());
      if (options.terminal !== undefined)
        print('  then press Enter here, or the button of the page. "again" starts this pass again.');
      options.terminal?.listen(line => takeLine(line, server));
      const passes = await rejectOnAbort(Promise.race([server.passes, ended]), signal);
      if (server.unrecorded > 0)
        print(`${server.unrecorded} requests or bodies were beyond the limits of a recording, and are not in it`);
      return { passes, origin: cluster.proxyUrl };
    } finally {
      await server.close();
    }
  } finally {
    await cluster.stop();
  }
}

/** An app that runs already was not started here, so nothing has seen yet whether it listens. */
async function expectApp(origin: string, signal: AbortSignal): Promise<void> {
  const { hostname, port } = new URL(origin);
  const socket = connect({ host: hostname.replace(/[[\]]/g, ''), port: Number(port || 80) });
  try {
    await once(socket, 'connect', { signal });
  } catch (error) {
    signal.throwIfAborted();
    const why = error instanceof Error ? error.message : String(error);
    throw new LabError(`no app listens at ${origin} (${why}). Start it first, or write: record -- COMMAND`);
  } finally {
    socket.destroy();
  }
}

const readyHint =
  'record: --ready PATH names a path that answers 200 without a login; --env KEY=VALUE sets a variable.';

function greet(server: RecordingServer, { port, open }: ClickOptions): void {
  if (server.port !== port && port !== 0) print(`port ${port} is taken; the next free one is ${server.port}`);
  print(`the app runs. Open this page, which says what to do: ${server.address}`);
  const problem = open ? openInBrowser(server.address) : undefined;
  if (problem !== undefined) print(`--open: ${problem}; open the address yourself`);
}

function takeLine(line: string, server: RecordingServer): void {
  if (line === '') void server.finishPass();
  else if (line === 'again') server.restartPass();
  else print('expected Enter when the pass is done, or "again" to start it again');
}

function printPass({ pass, number, address, steps }: ControlState): void {
  if (pass === undefined) return void print('\nall three passes are recorded');
  print(`\npass ${number} of 3: ${address}`);
  for (const step of steps) print(`  ${step}`);
}

/** Returns a function that prints what is new in a state. The first time it prints the pass. */
function makePrinter(): (state: ControlState) => void {
  let last: ControlState | undefined;
  return state => {
    const isNew = last?.address !== state.address;
    const before = last?.signs ?? [];
    last = state;
    if (isNew) return printPass(state);
    for (const [index, { text, isSeen }] of state.signs.entries())
      if (isSeen && !before[index]?.isSeen) print(`  ✓ ${text}`);
    if (state.missing.length > 0)
      print(`  not seen: ${state.missing.join(', ')}. Do it now, or press again to go on without it`);
  };
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** The lines that the person types. One part of the command reads them at a time. */
export class Terminal {
  readonly #lines: Interface;
  readonly #queue: string[] = [];
  #closed = false;
  #onLine: (line: string) => void = () => {};
  /** Set while `nextLine` waits. */
  #wake: () => void = () => {};

  constructor(input: NodeJS.ReadableStream = process.stdin) {
    // The terminal stays as it is, so that Ctrl-C still sends its signal.
    this.#lines = createInterface({ input, terminal: false });
    this.#lines.on('line', line => this.#onLine(line.trim()));
    this.#lines.on('close', () => {
      this.#closed = true;
      this.#wake();
    });
  }

  /** Calls this function, and no earlier one, with each line. */
  listen(listener: (line: string) => void): void {
    this.#onLine = listener;
  }

  /** Resolves with the next line. From the first call on lines wait in a queue. Undefined: the input has ended. */
  async nextLine(): Promise<string | undefined> {
    this.listen(line => {
      this.#queue.push(line);
      this.#wake();
    });
    while (this.#queue.length === 0 && !this.#closed) await new Promise<void>(resolve => (this.#wake = resolve));
    return this.#queue.shift();
  }

  close(): void {
    this.listen(() => {});
    this.#lines.close();
  }
}

/**
 * Asks a question until a candidate is chosen. Enter takes the first one. Returns the id of the candidate; undefined when
 * there is no terminal.
 */
export async function askQuestion(
  { text, candidates }: Question,
  terminal: Pick<Terminal, 'nextLine'> | undefined,
  write: (text: string) => void,
): Promise<string | undefined> {
  if (terminal === undefined) return undefined;
  write(`\n${clean(text)}\n${candidates.map(({ label }, index) => `  ${index + 1}  ${clean(label)}\n`).join('')}`);
  for (;;) {
    write(`1 to ${candidates.length}, Enter takes 1: `);
    const line = await terminal.nextLine();
    if (line === undefined) return undefined;
    const chosen = candidates[line === '' ? 0 : Number(line) - 1];
    if (chosen !== undefined) return chosen.id;
    write(`found "${line}", expected a number.\n`);
  }
}

/** Returns the candidate that the value of a flag names by its number or its id. Throws `UsageError` for another value. */
export function chooseCandidate(question: Question, given: string): string {
  const { candidates } = question;
  const chosen = candidates.find(({ id }) => id === given) ?? candidates[Number(given) - 1];
  if (chosen !== undefined) return chosen.id;
  throw new UsageError(`--answer: found "${given}". ${describeQuestion(question)}`);
}

/** Says which flags give the answer. */
export function describeQuestion({ id, text, candidates }: Question): string {
  const flags = candidates.map(
    ({ label }, index) => `\n  --answer ${quoteForShell(clean(`${id}=${index + 1}`))}    ${clean(label)}`,
  );
  return `${clean(text)} Give the answer as a flag:${flags.join('')}`;
}
