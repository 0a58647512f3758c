import { messageOf } from '../../../shared/error-message.js';
import { LabError } from '../../errors.js';
import type { Deployer, Release, RolloutPace } from '../cluster.js';
import { describeEnd, type RunShell } from '../processes/shell.js';
import { type DeployCommands, fillCommand } from './driver.js';

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
