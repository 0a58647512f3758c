/*
 * A worker process, started by `workers.ts`: serves, and does what the primary says. It ends when the primary is gone
 * (`node:cluster` sees to that). The signals of a Ctrl-C or a service manager, sent to every process of the group, are
 * the primary's business.
 */

import { factsOfError, type ToPrimary, type ToWorker } from './messages.js';
import { WorkerServer } from './worker-server.js';

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});

// A warning that cannot be written, because the disk is full perhaps, is no reason to end.
process.stderr.on('error', () => {});

let following: WorkerServer | undefined;

process.on('message', (message: ToWorker) => {
  if (message.kind === 'serve') void serve(message);
  else if (following !== undefined) obey(following, message);
});
tell({ kind: 'ready' });

async function serve(message: Extract<ToWorker, { kind: 'serve' }>): Promise<void> {
  try {
    following = new WorkerServer(message, told => tell(told));
    await following.listen();
  } catch (error) {
    tell({ kind: 'failed', error: factsOfError(error) }, leave);
  }
}

function obey(following: WorkerServer, message: Exclude<ToWorker, { kind: 'serve' }>): void {
  switch (message.kind) {
    case 'member':
      following.adopt(message.facts);
      break;
    case 'left':
      following.left(message.backend);
      break;
    case 'report':
      following.report(message.number);
      break;
    case 'reload':
      void following.reload(message.number, message.options);
      break;
    case 'close':
      void following.close(message.graceMs).then(() => tell({ kind: 'closed' }, leave));
  }
}

/** The channel may be closing already: then nobody is left to tell. */
function tell(message: ToPrimary, told = (): void => {}): void {
  process.send?.(message, undefined, undefined, told);
}

/** Whatever was told before is on its way. */
function leave(): void {
  process.exit(0);
}
