import { Server } from 'node:net';
import type { HandedBinding } from '../affinity/learned-bindings.js';
import type { BoundAddress, OpenSocket } from '../sockets/listen.js';
import {
  type ProcessSnapshot,
  protocolVersion,
  successorVariable,
  type ToPredecessor,
  type ToSuccessor,
} from './messages.js';
import type { OpenSockets, SocketName } from './takeover.js';

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
