import { messageOf } from '../../../shared/text.js';
import { unknownName } from '../../../shared/unknown-name.js';
import { BootFailed, LabError } from '../../errors.js';
import type { Cluster, ClusterMember, MemberState, StrikeVerb } from '../cluster.js';
import { waitUntil } from '../probe.js';
import type { Listeners } from '../processes/process-member.js';
import { joinLines, type ShellEnd } from '../processes/run-program.js';
import { memberNumber } from '../targets.js';
import { drivers, type ListedMember, type MembersSpec } from './drivers.js';
import { ExternalDeployer, ExternalSystem } from './external-system.js';

/** The member that a target stands for since it was struck. */
interface StruckMember {
  readonly name: string;
  /** Number of members that were ready right before. */
  readonly readyBefore: number;
}

/**
 * Member that the lab did not start, such as a container: `member-2`, the second of the ready ones, the oldest first. A
 * strike resolves which one that is. The target then stands for this one until it is healed. All commands are those of
 * the driver.
 */
export class ExternalMember implements ClusterMember {
  readonly role = 'backend';
  readonly port = 0;
  readonly directory = undefined;
  readonly #system: ExternalSystem;
  readonly #onState: Listeners['onState'];
  readonly #choose: (ready: readonly ListedMember[]) => ListedMember | undefined;
  /** State that the last strike or healing leads to. `mark` reports a state only when it was seen. */
  #state: MemberState = 'up';
  #reported: MemberState = 'up';
  #struck: StruckMember | undefined;
  /** The name of the member that was struck last, also after its healing. */
  #lastStruck: string | undefined;
  #last: ShellEnd | undefined;
  /** Whether it was alive right before the last strike. */
  #wasAlive = true;
  /** Why the last "resume" failed. Empty when it did not. */
  #notResumed = '';
  /** Number of calls that begin a healing. */
  #healings = 0;

  constructor(
    readonly name: string,
    system: ExternalSystem,
    choose: (ready: readonly ListedMember[]) => ListedMember | undefined,
    onState: Listeners['onState'],
  ) {
    this.#system = system;
    this.#choose = choose;
    this.#onState = onState;
  }

  get state(): MemberState {
    return this.#state;
  }

  get shownAs(): string {
    return this.#struck?.name ?? this.name;
  }

  get isRunning(): boolean {
    return this.#state !== 'dead';
  }

  kill(again?: 'again'): Promise<boolean> {
    return this.#strike('kill', 'dead', again === 'again' ? this.#lastStruck : undefined);
  }

  stop(): Promise<boolean> {
    return this.#strike('stop', 'dead');
  }

  hang(): Promise<boolean> {
    return this.#strike('hang', 'stopped');
  }

  async isHung(): Promise<boolean> {
    return this.#struck !== undefined && this.#state === 'stopped';
  }

  async resume(): Promise<boolean> {
    this.#healings += 1;
    if (this.#struck === undefined || (await this.#isAliveOr(false))) return true;
    if (this.#state !== 'stopped') return false;
    try {
      await this.#system.run('resume', this.#struck.name);
      return true;
    } catch (error) {
      // Something else may have killed it while it hung. It must be started then.
      this.#notResumed = `${messageOf(error)}; and `;
      this.#state = 'dead';
      return false;
    }
  }

  /** Does nothing: a key ring of the lab is not shared with members that it did not start. */
  reload(): void {}

  async confirm(verb: StrikeVerb): Promise<string | false> {
    const { selector, withinMs } = this.#system.spec;
    if (!(await waitUntil(async () => !(await this.#isAlive()), withinMs))) return false;
    this.mark(verb === 'hang' ? 'stopped' : 'dead');
    return `${this.name} of ${selector} is ${this.shownAs}: alive before, not alive after "${verb}" (${this.#lastWords()})`;
  }

  waitEnd(withinMs: number): Promise<boolean> {
    return waitUntil(async () => !(await this.#isAliveOr(true)), withinMs);
  }

  /** Starts the struck member, or waits until something else has replaced it. */
  async start(): Promise<void> {
    this.#healings += 1;
    const struck = this.#struck;
    if (struck === undefined) return;
    const { withinMs, commands } = this.#system.spec;
    let failure = this.#notResumed;
    this.#notResumed = '';
    if (commands.start !== undefined && !(await this.#isAliveOr(false)))
      await this.#system.run('start', struck.name).catch(({ message }: Error) => {
        failure += `${message}; and `;
      });
    if (!(await waitUntil(() => this.#isBack(struck), failure === '' ? withinMs : 0))) {
      const state = (await this.#isAliveOr(false))
        ? 'it runs, and is not ready'
        : `it is not alive (${this.#lastWords()})`;
      const how = `${failure}${state}, and no other member has replaced it within ${withinMs / 1_000} s`;
      throw new BootFailed(`${struck.name} did not come back: ${how}`, struck.name, how, this.port);
    }
    this.mark('up');
  }

  async answers(): Promise<boolean> {
    this.#healings += 1;
    return this.#struck === undefined || this.#isBack(this.#struck);
  }

  async counts(): Promise<undefined> {
    return undefined;
  }

  describe(): string {
    if (this.#last === undefined) return 'was not struck';
    if (!this.#wasAlive) return `was not alive before it was struck: ${this.#lastWords()}`;
    return `is ${this.#last.ok ? 'alive' : 'not alive'}: ${this.#lastWords()}`;
  }

  mark(state: MemberState): void {
    this.#state = state;
    if (state !== this.#reported) this.#onState(this.shownAs, state);
    this.#reported = state;
    if (state === 'up') this.#struck = undefined;
  }

  /** Resolves the target unless it is struck already, and runs the command. Returns false when it is not alive, or when
   * healing has begun meanwhile: an interrupted run does not wait for its strikes. */
  #strike(verb: StrikeVerb, state: 'dead' | 'stopped', preferred?: string): Promise<boolean> {
    const healings = this.#healings;
    return this.#system.strikeInTurn(() => this.#strikeNow(verb, state, healings, preferred));
  }

  /** `healings`: their number when the strike was asked for. */
  async #strikeNow(
    verb: StrikeVerb,
    state: 'dead' | 'stopped',
    healings: number,
    preferred: string | undefined,
  ): Promise<boolean> {
    const struck = this.#struck ?? (await this.#resolve(preferred));
    const alive = await this.#system.alive(struck.name);
    if (this.#healings !== healings) return false;
    this.#struck = struck;
    this.#lastStruck = struck.name;
    this.#last = alive;
    this.#wasAlive = alive.ok;
    if (!alive.ok) {
      if (this.#state === 'up') this.#state = 'dead';
      return false;
    }
    // Set before the command ends: an interrupted run heals at once, and must undo what the command is about to do.
    this.#state = state;
    try {
      await this.#system.run(verb, struck.name);
      return true;
    } catch (error) {
      if (await this.#isAliveOr(false)) this.#state = 'up';
      throw error;
    }
  }

  /** `preferred`: the member that the target stands for while it is there. A pod that was killed never comes back. */
  async #resolve(preferred: string | undefined): Promise<StruckMember> {
    const ready = await this.#system.list();
    const chosen = ready.find(({ name }) => name === preferred) ?? this.#choose(ready);
    const { selector } = this.#system.spec;
    if (chosen !== undefined) return { name: chosen.name, readyBefore: ready.length };
    const names = ready.map(({ name }) => name).join(', ') || 'none';
    throw new Error(`"${selector}" has no ${this.name}: the ready members are ${names}`);
  }

  async #isAlive(): Promise<boolean> {
    this.#last = await this.#system.alive(this.shownAs);
    return this.#last.ok;
  }

  /** Returns `otherwise` when it cannot be asked. Healing goes on then: it must not leave the member as it is. */
  #isAliveOr(otherwise: boolean): Promise<boolean> {
    return this.#isAlive().catch(() => otherwise);
  }

  /** Returns whether it is ready again, or as many members as before are ready without it. False when the members
   * cannot be listed. */
  async #isBack({ name, readyBefore }: StruckMember): Promise<boolean> {
    const ready = await this.#system.list().catch(() => []);
    return ready.some(one => one.name === name) || ready.length >= readyBefore;
  }

  #lastWords(): string {
    const { printed, said, how } = this.#last ?? { printed: '', said: '', how: 'unknown' };
    return joinLines(printed) || joinLines(said) || how;
  }
}

/**
 * Adds the members that the lab did not start to a cluster of a running system. Faults strike them by number: the n-th
 * ready one, the oldest first. `random` chooses for `member-any`. Rejects with `LabError` when no member is found.
 */
export async function joinMembers(
  cluster: Cluster,
  spec: MembersSpec,
  onState: Listeners['onState'],
  random: () => number,
): Promise<Cluster> {
  const system = new ExternalSystem(spec, cluster.shell);
  const ready = await system.open();
  const deploy = spec.driver === undefined ? undefined : drivers[spec.driver]?.deploy;
  const deployer = deploy && new ExternalDeployer(deploy, spec, cluster.shell);
  const members: ExternalMember[] = [];
  const create = (name: string): ExternalMember => {
    const number = memberNumber(name);
    if (number === undefined) throw new LabError(unknownName('member', name, ['member-1', 'member-any']));
    const member = new ExternalMember(
      name,
      system,
      listed => listed[number === 'any' ? Math.floor(random() * listed.length) : number - 1],
      onState,
    );
    members.push(member);
    return member;
  };
  return {
    ...cluster,
    members,
    member: name => members.find(member => member.name === name) ?? create(name),
    ...(deployer !== undefined && { deployer }),
    // The system goes on after the run, so it must be as it was.
    async stop() {
      try {
        await deployer?.restore();
      } finally {
        await cluster.stop();
      }
    },
    external: { naming: system.naming, startedWith: ready.map(({ name }) => name) },
    proxyAdmin: {
      drain: async () => undefined,
      ready: async () => undefined,
      // No proxy is asked: the driver's own list says which members are ready.
      backends: async () =>
        members.map(({ name }) => ({ name, state: 'ready', drained: false, inFlight: 0, bound: 0 }) as const),
    },
  };
}
