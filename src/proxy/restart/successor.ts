import { type ChildProcess, fork } from 'node:child_process';
import { isDeepStrictEqual } from 'node:util';
import {
  type ProcessSnapshot,
  protocolVersion,
  successorVariable,
  type ToPredecessor,
  type ToSuccessor,
} from './messages.js';
import type { ReplaceableProxy } from './takeover.js';

/** A successor must serve in this time: it probes each backend first. */
const startMs = 60_000;

/** The running proxy, as far as its successor needs it. */
export interface HandoverSource {
  beginHandover(): ProcessSnapshot;
  readonly socketOf: ReplaceableProxy['socketOf'];
  readonly onBinding: ReplaceableProxy['onBinding'];
}

/**
 * Starts this program again, with the same words and the program file as it is on the disk now. Resolves when the new
 * process serves. Rejects with the reason when it cannot; then it has ended, and nothing has changed here.
 */
export async function startSuccessor(source: HandoverSource, signal: AbortSignal): Promise<{ readonly pid: number }> {
  const [, program = '', ...words] = process.argv;
  // In a container the end of process 1 ends all others.
  if (process.pid === 1) throw new Error('this is process 1 of a container, which ends with it: replace the container');
  const child = fork(program, words, {
    env: { ...process.env, [successorVariable]: String(process.pid) },
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    // Structured clones keep the bytes of keys and undefined fields.
    serialization: 'advanced',
  });
  const stop = () => child.kill('SIGTERM');
  signal.addEventListener('abort', stop, { once: true });
  const timer = setTimeout(() => child.kill('SIGKILL'), startMs);
  try {
    await waitUntilServing(child, source);
    // It outlives this process.
    child.unref();
    child.channel?.unref();
    return { pid: child.pid ?? 0 };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

function waitUntilServing(child: ChildProcess, source: HandoverSource): Promise<void> {
  let reason: string | undefined;
  return new Promise((resolve, reject) => {
    child.on('error', error => reject(error));
    child.on('exit', (code, exitSignal) =>
      reject(new Error(reason ?? `the new process ended before it served (${exitSignal ?? `exit code ${code}`})`)),
    );
    child.on('message', (message: ToPredecessor) => {
      if (message.kind === 'serving') resolve();
      else if (message.kind === 'failed') reason = message.reason;
      else answer(child, message, source);
    });
  });
}

function answer(
  child: ChildProcess,
  message: Extract<ToPredecessor, { kind: 'ask-snapshot' | 'ask-socket' }>,
  { beginHandover, socketOf, onBinding }: HandoverSource,
): void {
  if (message.kind === 'ask-socket') {
    const found = socketOf(message.name);
    const isOpen = found !== undefined && isDeepStrictEqual(found.address, message.address);
    // Node cannot pass a Unix socket on.
    send(child, { kind: 'socket', isOpen }, isOpen && 'port' in found.address ? found.server : undefined);
  } else if (message.version === protocolVersion) {
    send(child, { kind: 'snapshot', snapshot: beginHandover() });
    onBinding(binding => send(child, { kind: 'binding', binding }));
  } else send(child, { kind: 'other-version', version: protocolVersion });
}

/** If the successor has ended, the message is lost; its end is reported. */
function send(child: ChildProcess, message: ToSuccessor, socket?: Parameters<ChildProcess['send']>[1]): void {
  child.send(message, socket, {}, () => {});
}
