import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { LabError, rejectOnAbort } from '../errors.js';
import type { LinkDirection } from './link-pipe.js';
import { TcpLink } from './links.js';
import { Janitor } from './processes/janitor.js';
import { type Listeners, ProcessMember, type ProcessSpec } from './processes/process-member.js';
import { findTemporaryBase, type ProgramRun, type RunShell, runProgram, runShell } from './processes/run-program.js';

/** Each step of niceness lowers the CPU weight of a process by a fifth. */
const nicenessBesideOthers = 10;

/**
 * Queues the process starts of labs that run side by side, so that few processes start at a time. Each start takes a
 * whole processor; many at once would starve the servers of the other labs. Queued processes also get a higher niceness
 * than the processes that drive the users. A fault that starts a process again does not use the queue.
 */
export type InTurn = (start: () => Promise<void>) => Promise<void>;

/** Everything that has been started so far. It can stop a lab that is only half started. */
export class Lab {
  readonly members: ProcessMember[] = [];
  readonly #links: TcpLink[] = [];
  readonly #janitor = new Janitor();
  readonly #listeners: Listeners;
  readonly #inTurn: InTurn | undefined;
  readonly #stopping = new AbortController();
  readonly #running: Promise<unknown>[] = [];
  #directory: Promise<string> | undefined;
  #stopped: Promise<void> | undefined;

  constructor(listeners: Listeners, inTurn?: InTurn) {
    this.#inTurn = inTurn;
    this.#listeners = listeners;
  }

  member(name: string): ProcessMember {
    const found = this.members.find(member => member.name === name);
    if (found !== undefined) return found;
    throw new LabError(`no member "${name}"; there are ${this.members.map(member => member.name).join(', ')}`);
  }

  /** Adds a process and starts it. Resolves when it answers. */
  async start(spec: ProcessSpec): Promise<void> {
    await this.boot(this.add(spec));
  }

  /** Starts a process that was added before. Resolves when it answers. */
  boot(member: ProcessMember): Promise<void> {
    return this.#whenItsTurn(member.name, () => member.start());
  }

  /** Adds a process without starting it. A spare backend may never be started. */
  add(spec: ProcessSpec): ProcessMember {
    this.#refuseWhenStopped(spec.name);
    const niceness = this.#inTurn === undefined ? 0 : nicenessBesideOthers;
    const member = new ProcessMember(spec, this.#janitor, this.#listeners, niceness);
    this.members.push(member);
    return member;
  }

  /** Adds a link. `asking`: the direction of the first bytes, which the connecting end sends. */
  async link(name: string, toPort: number, asking?: LinkDirection): Promise<void> {
    this.#refuseWhenStopped(name);
    this.#links.push(await TcpLink.listen(name, toPort, asking));
  }

  linkOf(name: string): TcpLink {
    const found = this.#links.find(link => link.name === name);
    if (found !== undefined) return found;
    throw new LabError(`no link "${name}"; there are ${this.#links.map(link => link.name).join(', ') || 'none'}`);
  }

  /** Returns the port of the link between two members; undefined when there is no link. */
  portSeenBy(from: string, to: string): number | undefined {
    return this.#links.find(({ name }) => name === `${from}->${to}`)?.port;
  }

  run(program: ProgramRun): Promise<void> {
    const run = this.#whenItsTurn(program.command, () =>
      this.#finishBeforeStop(runProgram(program, this.#stopping.signal, this.#janitor)),
    );
    return rejectOnAbort(run, this.#stopping.signal);
  }

  /** Does work that writes files in the temporary directory. `stop` removes the directory only after the work has ended. */
  writeFiles<T>(write: () => Promise<T>): Promise<T> {
    this.#refuseWhenStopped('a file');
    return this.#finishBeforeStop(write());
  }

  #finishBeforeStop<T>(work: Promise<T>): Promise<T> {
    this.#running.push(work);
    return work;
  }

  /** Queues a start. `stop` does not wait for the queue: a stopped lab starts nothing. */
  async #whenItsTurn(what: string, start: () => Promise<void>): Promise<void> {
    const begin = async (): Promise<void> => {
      this.#refuseWhenStopped(what);
      await start();
    };
    this.#refuseWhenStopped(what);
    await (this.#inTurn === undefined ? begin() : this.#inTurn(begin));
  }

  /** Runs a command of the user. The end of the lab kills it and every process that it started. */
  shell(...[command, withinMs, signal]: Parameters<RunShell>): ReturnType<RunShell> {
    const either = AbortSignal.any([signal, this.#stopping.signal]);
    return this.#finishBeforeStop(runShell(command, withinMs, either, this.#janitor));
  }

  async mustRun(): Promise<void> {
    for (const member of this.members) await member.mustRun();
  }

  /** Returns the temporary directory of this lab. The first call creates it. */
  directory(): Promise<string> {
    this.#refuseWhenStopped('a temporary directory');
    this.#directory ??= this.#makeDirectory();
    return this.#directory;
  }

  async #makeDirectory(): Promise<string> {
    const directory = path.join(findTemporaryBase(), `holdfast-${randomBytes(6).toString('hex')}`);
    // A server that does not run as root must reach its own folder. Other users cannot list the content.
    await this.#janitor.makeDirectory(directory, 0o711);
    return directory;
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stopAll();
    return this.#stopped;
  }

  /** Throws once `stop` was called: an interrupted boot runs on for a moment and must not start anything new. */
  #refuseWhenStopped(what: string): void {
    if (this.#stopped !== undefined) throw new LabError(`${what} was requested while the lab was being stopped`);
  }

  async #stopAll(): Promise<void> {
    this.#stopping.abort(new LabError('the lab is being stopped'));
    await Promise.allSettled(this.#running);
    await Promise.all(this.members.map(member => member.end()));
    const directory = await this.#directory;
    this.#janitor.endGroups(directory);
    await Promise.all(this.#links.map(link => link.close()));
    if (directory !== undefined) await this.#janitor.removeDirectory(directory);
    await this.#janitor.dismiss();
  }
}
