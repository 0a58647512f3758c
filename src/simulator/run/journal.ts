import { LiveCounts } from '../faults/trigger.js';
import type {
  FaultRecord,
  LabRecord,
  ListedRun,
  MemberRecord,
  Operation,
  PhaseName,
  PhaseRecord,
  RunHeader,
} from '../history/records.js';
import type { RunClock } from './run-clock.js';

const tickMs = 200;

type WithoutMode<P> = P extends Progress ? Omit<P, 'mode'> : never;

/** Collects what happens in a run, and reports the progress. It judges nothing. */
export class Journal {
  readonly #mode: string;
  readonly #onProgress: OnProgress;
  readonly #operations: Operation[] = [];
  readonly #phases: PhaseRecord[] = [];
  readonly #members: MemberRecord[] = [];
  readonly #roles = new Map<string, string>();
  /** Counts of the operations so far. Faults can wait for them. */
  readonly counts = new LiveCounts();
  #clock: RunClock | undefined;
  #ticker: NodeJS.Timeout | undefined;
  #problems = 0;

  constructor(mode: string, onProgress: OnProgress) {
    this.#mode = mode;
    this.#onProgress = onProgress;
  }

  starting(members: readonly string[]): void {
    this.#tell({ kind: 'starting', members });
  }

  /** Begins the run. Earlier events have time 0. */
  begin(clock: RunClock, totalMs: number): void {
    this.#clock = clock;
    this.#ticker = setInterval(() => this.#tick(totalMs), tickMs);
  }

  /** Records a phase that lasts until `work` has ended. */
  async phase(phase: PhaseRecord['phase'], lastsMs: number, work: () => Promise<unknown>): Promise<void> {
    const startMs = this.#now();
    this.#tell({ kind: 'phase', phase, lastsMs });
    await work();
    this.#phases.push({ type: 'phase', phase, startMs, endMs: this.#now() });
  }

  readonly operation = (operation: Operation): void => {
    this.#operations.push(operation);
    this.counts.note(operation);
    if (operation.outcome !== 'ok') this.#problems += 1;
  };

  /** Records the state of a member. Without a role, the member keeps its earlier role. */
  readonly member = (
    member: string,
    state: MemberRecord['state'],
    role: string | undefined = this.#roles.get(member),
  ): void => {
    if (role !== undefined) this.#roles.set(member, role);
    this.#members.push({ type: 'member', member, atMs: this.#now(), state, ...(role && { role }) });
  };

  readonly fault = (id: string, what: FaultEvent): void => this.#tell({ kind: 'fault', id, what });

  /** Returns everything recorded so far. Members that stop when the lab ends are not part of it. */
  record(header: RunHeader, faults: readonly FaultRecord[], lab: LabRecord): ListedRun {
    return { header, operations: this.#operations, phases: this.#phases, faults, members: [...this.#members], lab };
  }

  end(): void {
    clearInterval(this.#ticker);
  }

  #tick(totalMs: number): void {
    const [requests, problems] = [this.#operations.length, this.#problems];
    this.#tell({ kind: 'tick', atMs: this.#now(), totalMs, requests, problems });
  }

  #now(): number {
    return this.#clock?.now() ?? 0;
  }

  #tell(progress: WithoutMode<Progress>): void {
    this.#onProgress({ ...progress, mode: this.#mode });
  }
}

export type FaultEvent = 'injected' | 'confirmed' | 'not-confirmed' | 'healed' | 'not-healed' | 'never-struck';

/** The events that a run reports while it goes on. The command line draws them; tests collect them. */
export type Progress =
  | { readonly kind: 'starting'; readonly mode: string; readonly members: readonly string[] }
  | { readonly kind: 'phase'; readonly mode: string; readonly phase: PhaseName; readonly lastsMs: number }
  | {
      readonly kind: 'fault';
      readonly mode: string;
      readonly id: string;
      readonly what: FaultEvent;
    }
  | {
      readonly kind: 'tick';
      readonly mode: string;
      readonly atMs: number;
      readonly totalMs: number;
      readonly requests: number;
      readonly problems: number;
    };

export type OnProgress = (progress: Progress) => void;
