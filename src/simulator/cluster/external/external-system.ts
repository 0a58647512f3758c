import { commandLine } from '../../../shared/program-name.js';
import { findProgram } from '../../../shared/tools.mjs';
import { LabError } from '../../errors.js';
import { type BackendNaming, backendNaming } from '../cluster.js';
import { describeEnd, type RunShell, type ShellEnd } from '../processes/shell.js';
import { type DriverVerb, fillCommand, type ListedMember, type MembersSpec, parseList } from './driver.js';
import { drivers } from './drivers/registry.js';

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

  /** Runs `alive` for a member. Rejects when that says nothing: the command did not end by itself, or with a code that
   * stands for "cannot be asked". */
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

/** Returns whether several members have this name, as the containers of one service: then it tells none of them. */
function isShared(name: string, ready: readonly ListedMember[]): boolean {
  return ready.filter(({ names }) => names.includes(name)).length > 1;
}

function createFailure(verb: string, member: string, end: ShellEnd): Error {
  return new Error(`"${verb}" of ${member} ${describeEnd(end)}`);
}
