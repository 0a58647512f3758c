import { commandLine } from '../../../shared/package.js';
import { messageOf } from '../../../shared/text.js';
import { findProgram } from '../../../shared/tools.mjs';
import { LabError } from '../../errors.js';
import { type BackendNaming, backendNaming, type Deployer, type Release, type RolloutPace } from '../cluster.js';
import { describeEnd, type RunShell, type ShellEnd } from '../processes/run-program.js';
import {
  type DeployCommands,
  type DriverVerb,
  drivers,
  fillCommand,
  type ListedMember,
  type MembersSpec,
  parseList,
} from './drivers.js';

/** A running system that the lab did not start: its members, and the releases that its driver rolls out. */

/** 126 and 127 are the codes of a shell that cannot run a command. Drivers use 126 when nothing answers them. */
const saysSomething = /^ended with code (?!12[67]$)/;

/**
 * The members of a running system, as its driver sees them. Commands run one after the other: a command that heals waits
 * for a command that strikes, even when the run was interrupted in between.
 */
export class ExternalSystem {
  readonly spec: MembersSpec;
  readonly #shell: RunShell;
  readonly #names = new Map<string, string>();
  #turn: Promise<unknown> = Promise.resolve();
  #striking: Promise<unknown> = Promise.resolve();

  constructor(spec: MembersSpec, shell: RunShell) {
    this.spec = spec;
    this.#shell = shell;
  }

  /** Checks that the driver works and finds a ready member. Rejects with `LabError` that says what to do. */
  async open(): Promise<readonly ListedMember[]> {
    const { driver, selector } = this.spec;
    const entry = driver === undefined ? undefined : drivers[driver];
    if (entry !== undefined && findProgram([entry.program]) === undefined)
      throw new LabError(
        `The driver ${driver} needs ${entry.program}, which is not on PATH. Type: ${commandLine('doctor', '--install', entry.program)}`,
      );
    const ready = await this.list().catch((error: Error) => {
      throw new LabError(`The members of ${selector} cannot be listed: ${error.message}`);
    });
    if (ready.length > 0) return ready;
    const hint = entry === undefined ? 'at least one of them to be alive' : `at least one, by ${entry.selects}`;
    throw new LabError(`system.members.selector "${selector}" finds no member that is ready, expected ${hint}.`);
  }

  /** Returns the ready members, the oldest first. Rejects when the command fails. */
  async list(): Promise<readonly ListedMember[]> {
    const { commands, selector } = this.spec;
    const ready = commands.list === undefined ? await this.#listAlive() : parseList(await this.#output(commands.list));
    for (const { name, names } of ready)
      for (const each of names) if (!isShared(each, ready)) this.#names.set(each, name);
    if (commands.list === undefined) this.#names.set(selector, selector);
    return ready;
  }

  /** How an answer names its member. */
  get naming(): BackendNaming {
    const { namedBy = backendNaming.header } = this.spec;
    return { header: namedBy.toLowerCase(), nameOf: name => this.#names.get(name) ?? name };
  }

  /** Runs `alive` for a member. Rejects when the result says nothing about the member: the command timed out, or its
   * code means "cannot be asked". */
  async alive(member: string): Promise<ShellEnd> {
    const end = await this.#run(this.spec.commands.alive, member);
    if (end.late || !saysSomething.test(end.how)) throw createFailure('alive', member, end);
    return end;
  }

  /** Runs the command of a verb for a member. Rejects when it fails or the driver has no such command. */
  async run(verb: DriverVerb, member: string): Promise<void> {
    const command = this.spec.commands[verb];
    if (command === undefined) throw new Error(`the driver has no command to ${verb} ${member}`);
    const end = await this.#run(command, member);
    if (!end.ok) throw createFailure(verb, member, end);
  }

  /** Runs strikes one after the other: each must see what the one before it has done to the members. */
  strikeInTurn<T>(strike: () => Promise<T>): Promise<T> {
    const struck = this.#striking.then(strike);
    this.#striking = struck.catch(() => undefined);
    return struck;
  }

  async #listAlive(): Promise<readonly ListedMember[]> {
    const names = parseList(this.spec.selector.replaceAll(/[\s,]+/g, '\n'));
    const alive = await Promise.all(names.map(async ({ name }) => (await this.alive(name)).ok));
    return names.filter((_, index) => alive[index]);
  }

  async #output(command: string): Promise<string> {
    const end = await this.#run(command);
    if (!end.ok) throw createFailure('list', this.spec.selector, end);
    return end.printed;
  }

  #run(command: string, member?: string): Promise<ShellEnd> {
    const { selector, withinMs } = this.spec;
    const filled = fillCommand(command, { selector, member });
    const ended = this.#turn.then(() => this.#shell(filled, withinMs, new AbortController().signal));
    this.#turn = ended;
    return ended;
  }
}

/** Returns whether several members have this name, like the containers of one service. It then identifies none. */
function isShared(name: string, ready: readonly ListedMember[]): boolean {
  return ready.filter(({ names }) => names.includes(name)).length > 1;
}

function createFailure(verb: string, member: string, end: ShellEnd): Error {
  return new Error(`"${verb}" of ${member} ${describeEnd(end)}`);
}

interface Workload {
  readonly workload: string;
  readonly revision: string;
}

/** How much longer a command may take than the wait that it does itself. */
const commandExtraMs = 2_000;
/** The version of a member that names none. */
const firstVersion = 'A';

/**
 * Rolls releases out with the commands of a driver. Its workload decides the pace, so that of the fault is not used. A
 * release sets the variable BACKEND_VERSION, which the app gives back in its answers.
 */
export class ExternalDeployer implements Deployer {
  readonly #commands: DeployCommands;
  readonly #selector: string;
  readonly #withinMs: number;
  readonly #shell: RunShell;
  /** The workload and its revision before the release. Undefined: there is nothing to roll back. */
  #before: Workload | undefined;
  /** The workload and its revision before the first release of the run. Undefined: it runs again, or nothing changed. */
  #first: Workload | undefined;
  #isUndone = false;

  constructor(
    commands: DeployCommands,
    members: { readonly selector: string; readonly withinMs: number },
    shell: RunShell,
  ) {
    this.#commands = commands;
    this.#selector = members.selector;
    this.#withinMs = members.withinMs;
    this.#shell = shell;
  }

  async rollOut(release: Release, _share: number, _pace: RolloutPace, signal: AbortSignal): Promise<void> {
    const before = parseWorkload(await this.#run('workload', this.#commands.workload, {}, signal), this.#selector);
    this.#before = before;
    this.#first ??= before;
    this.#isUndone = false;
    const { env, image = '', version } = release;
    const variables = Object.entries({ ...env, BACKEND_VERSION: version }).map(([name, value]) => `${name}=${value}`);
    await this.#run('rollOut', this.#commands.rollOut, { ...before, image, variables }, signal);
    await this.#waitDone(before, signal);
  }

  async rollBack(): Promise<void> {
    const before = this.#before;
    if (before === undefined) return;
    const { signal } = new AbortController();
    // Once undone, the revision has another number and cannot be undone again.
    if (!this.#isUndone) await this.#run('rollBack', this.#commands.rollBack, { ...before }, signal);
    this.#isUndone = true;
    await this.#waitDone(before, signal);
    if (this.#first?.revision === before.revision) this.#first = undefined;
    this.#before = undefined;
  }

  /** Brings back what ran before the run, where no rollback has done that. Rejects with `LabError` that says what to
   * type when it fails. */
  async restore(): Promise<void> {
    const first = this.#first;
    if (first === undefined) return;
    const values = { ...first, selector: this.#selector };
    try {
      // A rollback that was begun has made another revision of it, which cannot be undone again.
      const isBegun = this.#isUndone && this.#before?.revision === first.revision;
      const { signal } = new AbortController();
      if (!isBegun) await this.#run('rollBack', this.#commands.rollBack, values, signal);
      await this.#waitDone(first, signal);
    } catch (error) {
      const remedy = fillCommand(this.#commands.rollBack, values);
      throw new LabError(
        `${first.workload} still has the version of the deploy (${messageOf(error)}). Bring its earlier revision back: ${remedy}`,
      );
    }
    this.#first = undefined;
  }

  async versions(): Promise<ReadonlyMap<string, string>> {
    const lines = await this.#run('versions', this.#commands.versions, {}, new AbortController().signal);
    return new Map(
      lines.map(line => {
        const [name = '', version = firstVersion] = line.split(/\s+/);
        return [name, version] as const;
      }),
    );
  }

  async #waitDone(workload: Workload, signal: AbortSignal): Promise<void> {
    const within = `${Math.ceil(this.#withinMs / 1_000)}s`;
    await this.#run('isDone', this.#commands.isDone, { ...workload, within }, signal);
  }

  /** Returns the lines that the command prints. Rejects when it fails, or does not end in time. */
  async #run(
    what: string,
    command: string,
    values: Readonly<Record<string, string | readonly string[]>>,
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    const filled = fillCommand(command, { selector: this.#selector, ...values });
    const end = await this.#shell(filled, this.#withinMs + commandExtraMs, signal);
    if (!end.ok) throw new Error(`"${what}" ${describeEnd(end)}`);
    return end.printed.split('\n').filter(line => line.trim() !== '');
  }
}

/** Returns the only workload of the selector. With several it would not be clear which one a rollback restores. */
function parseWorkload(lines: readonly string[], selector: string): Workload {
  const [[workload, revision] = []] = lines.map(line => line.trim().split(/\s+/));
  if (lines.length === 1 && workload !== undefined && revision !== undefined) return { workload, revision };
  const found = lines.length === 0 ? 'none' : lines.map(line => line.split(' ')[0]).join(', ');
  throw new Error(
    `the selector ${selector} must find one deployment, and it found ${found}: add the label to the deployment that is to change`,
  );
}
