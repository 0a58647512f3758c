/*
 * A worker process, started by `workers.ts`: it serves and follows the primary. It ends when the primary is gone
 * (`node:cluster` does that). Ctrl-C and service managers signal the whole process group; only the primary handles
 * these signals.
 */

import { Socket } from 'node:net';
import { type ToPrimary, type ToWorker, toErrorFacts } from './messages.js';
import { WorkerServer } from './worker-server.js';

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'] as const) process.on(signal, () => {});

// A warning that cannot be written (full disk) is no reason to exit.
process.stderr.on('error', () => {});

let server: WorkerServer | undefined;

process.on('message', (message: ToWorker, passed: unknown) => {
  if (message.kind === 'serve') void serve(message);
  // Without a handle the client closed the connection on its way here.
  else if (message.kind === 'connection') passed instanceof Socket && server?.take(passed);
  else if (server !== undefined) handle(server, message);
});
tell({ kind: 'ready' });

async function serve(message: Extract<ToWorker, { kind: 'serve' }>): Promise<void> {
  try {
    server = new WorkerServer(message, told => tell(told));
    await server.open();
  } catch (error) {
    tell({ kind: 'failed', error: toErrorFacts(error) }, exit);
  }
}

function handle(server: WorkerServer, message: Exclude<ToWorker, { kind: 'serve' | 'connection' }>): void {
  switch (message.kind) {
    case 'member':
      server.adopt(message.facts);
      break;
    case 'left':
      server.left(message.backend);
      break;
    case 'report':
      server.report(message.number);
      break;
    case 'reload':
      void server.reload(message.number, message.options);
      break;
    case 'drain-connections':
      server.drainConnections();
      break;
    case 'close':
      void server.close(message.graceMs, message.hasSuccessor).then(() => tell({ kind: 'closed' }, exit));
  }
}

/** Sends a message. If the channel is already closing, the message is lost. */
function tell(message: ToPrimary, told = (): void => {}): void {
  process.send?.(message, undefined, undefined, told);
}

/** Exits. Called when earlier messages have been handed to the channel. */
function exit(): void {
  process.exit(0);
}
