import { type ChildProcess, fork } from 'node:child_process';
import { Server } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import type { KeyRing } from '../../shared/key-ring.js';
import type { HandedBinding } from '../affinity/learned-affinity.js';
import type { BoundAddress, OpenSocket } from '../sockets.js';
import type { OpenSockets, ProxySnapshot, ReplaceableProxy, SocketAddress, SocketName } from './takeover.js';

/*
 * A running proxy starts its successor and hands over to it. Both sides are here. Their messages go over the channel that
 * Node gives a child process. Everything is plain data that survives a structured clone. Keys travel here only, never by
 * command line or environment.
 *
 *   successor: ask-snapshot -> socket ... (the backends were probed) -> serving
 *   predecessor:  snapshot  <- socket ...                                       stops accepting
 *                 binding ... until it ends
 */

/** Two versions of Holdfast with different numbers cannot replace each other. Raise it when a message changes. */
const protocolVersion = 1;

/** This variable in the environment tells a process that its parent is the proxy to replace. */
const successorVariable = 'HOLDFAST_SUCCESSOR';

/** The values that the command line of the proxy keeps over a reload. */
export interface SiteSnapshot {
  /** A generated key ring. Undefined: the ring was given. */
  readonly keys: KeyRing | undefined;
  /** The names of the backends by the host of their pool, a space, and their origin. */
  readonly names: ReadonlyMap<string, string>;
}

interface ProcessSnapshot {
  readonly proxy: ProxySnapshot;
  readonly site: SiteSnapshot;
}

type ToPredecessor =
  | { readonly kind: 'ask-snapshot'; readonly version: number }
  | { readonly kind: 'ask-socket'; readonly name: SocketName; readonly address: SocketAddress }
  /** It accepts connections. */
  | { readonly kind: 'serving' }
  /** It cannot serve, and ends. */
  | { readonly kind: 'failed'; readonly reason: string };

type ToSuccessor =
  | { readonly kind: 'snapshot'; readonly snapshot: ProcessSnapshot }
  /** The version of the successor does not fit. */
  | { readonly kind: 'other-version'; readonly version: number }
  /** Carries the socket of a port. Without one, the successor must bind the address. */
  | { readonly kind: 'socket'; readonly isOpen: boolean }
  /** Sent until the predecessor ends: a binding that it has learnt after its snapshot was sent. */
  | { readonly kind: 'binding'; readonly binding: HandedBinding };

/** A successor must serve in this time: it probes each backend first. */
const startMs = 60_000;

/** The running proxy, as far as its successor needs it. */
interface HandoverSource {
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
      else answerSuccessor(child, message, source);
    });
  });
}

function answerSuccessor(
  child: ChildProcess,
  message: Extract<ToPredecessor, { kind: 'ask-snapshot' | 'ask-socket' }>,
  { beginHandover, socketOf, onBinding }: HandoverSource,
): void {
  if (message.kind === 'ask-socket') {
    const found = socketOf(message.name);
    const isOpen = found !== undefined && isDeepStrictEqual(found.address, message.address);
    // Node cannot pass a Unix socket on.
    sendToSuccessor(child, { kind: 'socket', isOpen }, isOpen && 'port' in found.address ? found.server : undefined);
  } else if (message.version === protocolVersion) {
    sendToSuccessor(child, { kind: 'snapshot', snapshot: beginHandover() });
    onBinding(binding => sendToSuccessor(child, { kind: 'binding', binding }));
  } else sendToSuccessor(child, { kind: 'other-version', version: protocolVersion });
}

/** If the successor has ended, the message is lost; its end is reported. */
function sendToSuccessor(
  child: ChildProcess,
  message: ToSuccessor,
  socket?: Parameters<ChildProcess['send']>[1],
): void {
  child.send(message, socket, {}, () => {});
}

/** A predecessor that does not answer in this time is not waited for. */
const answerMs = 10_000;

/** An answer of the predecessor. `ended`: it has ended and gives no more answers. */
type Answer = Exclude<ToSuccessor, { kind: 'binding' }> | { readonly kind: 'ended' };

/** The proxy that this process replaces: its parent. */
export class Predecessor implements OpenSockets {
  readonly #early: HandedBinding[] = [];
  #adopt = (binding: HandedBinding): void => void this.#early.push(binding);
  #onAnswer = (_message: Answer, _passed: unknown): void => {};

  private constructor() {
    process.on('message', (message: ToSuccessor, passed: unknown) => {
      if (message.kind === 'binding') this.#adopt(message.binding);
      else this.#onAnswer(message, passed);
    });
    process.on('disconnect', () => this.#onAnswer({ kind: 'ended' }, undefined));
  }

  /** Returns the predecessor. Undefined: this process was started by a user or a service manager. */
  static find(): Predecessor | undefined {
    const isSuccessor = process.env[successorVariable] !== undefined && process.send !== undefined;
    delete process.env[successorVariable];
    return isSuccessor ? new Predecessor() : undefined;
  }

  /** Rejects when the two versions of Holdfast do not fit, or when no answer comes. */
  async askSnapshot(): Promise<ProcessSnapshot> {
    const [answer] = await this.#ask({ kind: 'ask-snapshot', version: protocolVersion });
    if (answer.kind === 'snapshot') return answer.snapshot;
    if (answer.kind === 'ended') throw new Error('the running proxy ended before it handed over');
    const theirs = answer.kind === 'other-version' ? answer.version : 'none';
    throw new Error(
      `the running proxy hands over by protocol ${theirs}, and this version by ${protocolVersion}: stop it and start this one`,
    );
  }

  /** If the predecessor has ended, its sockets are closed. Then this process must bind the address. */
  async take(name: SocketName, { host, port }: BoundAddress): Promise<OpenSocket | undefined> {
    const [, passed] = await this.#ask({ kind: 'ask-socket', name, address: { host, port } });
    return passed instanceof Server ? passed : undefined;
  }

  async mayReplace(name: SocketName, path: string): Promise<boolean> {
    const [answer] = await this.#ask({ kind: 'ask-socket', name, address: { path } });
    return answer.kind === 'socket' && answer.isOpen;
  }

  /** See `Takeover.follow`. */
  follow(adopt: (binding: HandedBinding) => void): void {
    for (const binding of this.#early.splice(0)) adopt(binding);
    this.#adopt = adopt;
  }

  /** Reports that this process serves. The predecessor then stops accepting, and goes on to send new bindings. */
  reportServing(): void {
    this.#send({ kind: 'serving' }, () => {});
    // The channel must not keep this process alive.
    process.channel?.unref();
  }

  /** Reports why this process ends. Resolves when the message is sent. */
  reportFailure(reason: string): Promise<void> {
    return new Promise(resolve => this.#send({ kind: 'failed', reason }, resolve));
  }

  #ask(message: ToPredecessor): Promise<[answer: Answer, passed: unknown]> {
    if (!process.connected) return Promise.resolve([{ kind: 'ended' }, undefined]);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`the running proxy did not answer in ${answerMs} ms`)), answerMs);
      this.#onAnswer = (answer, passed) => {
        clearTimeout(timer);
        resolve([answer, passed]);
      };
      this.#send(message, () => {});
    });
  }

  /** If the predecessor has ended, the message is lost. */
  #send(message: ToPredecessor, onSent: () => void): void {
    if (process.connected) process.send?.(message, undefined, undefined, () => onSent());
    else onSent();
  }
}
