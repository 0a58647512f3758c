import { once } from 'node:events';
import { connect } from 'node:net';
import type { Passes, Typed } from '../../record/recording.js';
import { type ControlState, type RecordingServer, startRecordingServer } from '../../record/recording-server.js';
import { messageOf } from '../../shared/text.js';
import type { LabCluster } from '../../simulator/cluster/cluster.js';
import { openInBrowser } from '../../simulator/cluster/processes/run-program.js';
import { type ClusterSpec, startCluster } from '../../simulator/cluster/start-cluster.js';
import { BootFailed, LabError, rejectOnAbort } from '../../simulator/errors.js';
import type { Terminal } from './terminal.js';

interface ClickOptions {
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
    throw new LabError(
      `no app listens at ${origin} (${messageOf(error)}). Start it first, or write: record -- COMMAND`,
    );
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
