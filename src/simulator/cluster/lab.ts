import { chmod, mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { LabError } from '../errors.js';
import type { LinkDirection } from './links/toxics.js';
import { TcpLink } from './links.js';
import { Janitor } from './processes/janitor.js';
import { type Listeners, ProcessMember, type ProcessSpec } from './processes/process-member.js';
import { type ProgramRun, runProgram, temporaryBase } from './processes/run-program.js';
import { type RunShell, runShell } from './processes/shell.js';

/** The weight of a process falls by a fifth with each step. */
const nicenessBesideOthers = 10;

/**
 * Where labs run side by side: by it their processes start, few at a time, since each start takes a whole processor and
 * many at once would take from the other labs what their servers need. And they have a higher niceness than those who
 * drive the users, here and there. A fault that starts a process again waits for nobody.
 */
export type InTurn = (start: () => Promise<void>) => Promise<void>;

/** What has been started so far: the one thing that knows how to stop a lab that is half up. */
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

  /** Resolves when it answers. */
  async start(spec: ProcessSpec): Promise<void> {
    await this.boot(this.add(spec));
  }

  /** The same, for one that was added before. */
  boot(member: ProcessMember): Promise<void> {
    return this.#whenItsTurn(member.name, () => member.start());
  }

  /** One that somebody else will start, or nobody. */
  add(spec: ProcessSpec): ProcessMember {
    this.#refuseWhenStopped(spec.name);
    const niceness = this.#inTurn === undefined ? 0 : nicenessBesideOthers;
    const member = new ProcessMember(spec, this.#janitor, this.#listeners, niceness);
    this.members.push(member);
    return member;
  }

  /** `asking`: the way of what is said first, by the end that connects. */
  async link(name: string, toPort: number, asking?: LinkDirection): Promise<void> {
    this.#refuseWhenStopped(name);
    this.#links.push(await TcpLink.listen(name, toPort, asking));
  }

  linkOf(name: string): TcpLink {
    const found = this.#links.find(link => link.name === name);
    if (found !== undefined) return found;
    throw new LabError(`no link "${name}"; there are ${this.#links.map(link => link.name).join(', ') || 'none'}`);
  }

  /** Where `from` connects to reach `to`, when there is a link between them. */
  portSeenBy(from: string, to: string): number | undefined {
    return this.#links.find(({ name }) => name === `${from}->${to}`)?.port;
  }

  run(program: ProgramRun): Promise<void> {
    return this.#whenItsTurn(program.command, () => {
      const running = runProgram(program, this.#stopping.signal, this.#janitor);
      this.#running.push(running);
      return running;
    });
  }

  /** `stop` does not wait for what waits here: nothing of a lab that is stopped begins. */
  #whenItsTurn(what: string, start: () => Promise<void>): Promise<void> {
    const begin = async (): Promise<void> => {
      this.#refuseWhenStopped(what);
      await start();
    };
    return this.#inTurn === undefined ? begin() : this.#inTurn(begin);
  }

  /** Runs a command of the user's; ended with the lab, with all that it has started. */
  shell(...[command, withinMs, signal]: Parameters<RunShell>): ReturnType<RunShell> {
    const either = AbortSignal.any([signal, this.#stopping.signal]);
    const running = runShell(command, withinMs, either, this.#janitor);
    this.#running.push(running);
    return running;
  }

  async mustRun(): Promise<void> {
    for (const member of this.members) await member.mustRun();
  }

  /** Its own temporary directory, made at the first call. */
  directory(): Promise<string> {
    this.#refuseWhenStopped('a temporary directory');
    this.#directory ??= mkdtemp(path.join(temporaryBase(), 'holdfast-')).then(async directory => {
      this.#janitor.watchDirectory(directory);
      // A server that may not be root must get through to its own folder; nobody can look around.
      await chmod(directory, 0o711);
      return directory;
    });
    return this.#directory;
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stopAll();
    return this.#stopped;
  }

  /** A boot that was interrupted runs on for a moment: nothing may appear behind the back of `stop`. */
  #refuseWhenStopped(what: string): void {
    if (this.#stopped !== undefined) throw new LabError(`${what} was wanted while the lab was being stopped`);
  }

  async #stopAll(): Promise<void> {
    this.#stopping.abort(new LabError('the lab is being stopped'));
    await Promise.allSettled(this.#running);
    await Promise.all(this.members.map(member => member.end()));
    this.#janitor.endGroups();
    await Promise.all(this.#links.map(link => link.close()));
    const directory = await this.#directory;
    if (directory !== undefined) {
      await rm(directory, { recursive: true, force: true, maxRetries: 5 });
      this.#janitor.forgetDirectory(directory);
    }
    await this.#janitor.dismiss();
  }
}
