import type { FaultRecord, Operation, RunRecord } from '../history/records.js';
import { endsOf } from '../targets.js';
import type { MemberFindings } from './findings.js';
import { namesOf } from './struck.js';

/** Counts good answers by member, and looks which members are away or idle at the end. */
export class MemberWatch {
  readonly counts = {
    answered: new Map<string, number>(),
    answeredAfter: new Set<string>(),
    freeArrivals: 0,
  };
  readonly #run: RunRecord;
  readonly #lastHealedMs: number;
  readonly #hasAffinity: boolean;

  constructor(run: RunRecord) {
    this.#run = run;
    this.#lastHealedMs = Math.max(...run.faults.map(({ healedMs }) => healedMs ?? Number.POSITIVE_INFINITY), 0);
    this.#hasAffinity = run.header.system?.affinity ?? true;
    const proxies = namesOf(run, 'proxy');
    // The only proxy answers everything: operations name one only where there are several.
    for (const name of [...namesOf(run, 'backend'), ...(proxies.length > 1 ? proxies : [])])
      this.counts.answered.set(name, 0);
  }

  /** The operations of one user, in sending order. */
  see(operations: readonly Operation[]): void {
    let isBound = false;
    for (const operation of operations) {
      if (operation.outcome !== 'ok') continue;
      const isAfter = operation.sentMs >= this.#lastHealedMs;
      const { backend, proxy } = operation;
      if (backend !== undefined) this.#note(backend, isAfter);
      if (proxy !== undefined) this.#note(proxy, isAfter);
      if (isAfter && !isBound && !operation.final) this.counts.freeArrivals += 1;
      isBound = this.#hasAffinity;
    }
  }

  result(): MemberFindings {
    const { faults, members } = this.#run;
    const last = new Map(members.map(({ member, state }) => [member, state]));
    const backends = namesOf(this.#run, 'backend');
    return {
      answered: Object.fromEntries(this.counts.answered),
      ejectedAtEnd: backends.filter(name => last.get(name) === 'ejected'),
      idleAfterHealing: backends.filter(name => this.#isIdle(name, last.get(name))),
      notBack: [...new Set(faults.flatMap(({ notBack = [] }) => notBack.map(({ member }) => member)))],
    };
  }

  #note(member: string, isAfter: boolean): void {
    this.counts.answered.set(member, (this.counts.answered.get(member) ?? 0) + 1);
    if (isAfter) this.counts.answeredAfter.add(member);
  }

  /** It was struck and healed, runs, and answered no request although enough users arrived that it could have served. */
  #isIdle(name: string, state: string | undefined): boolean {
    const wasHealed = ({ target, healedMs }: FaultRecord) =>
      healedMs !== null && (endsOf(target) ?? [target]).includes(name);
    const couldServe = this.counts.freeArrivals >= 2 * namesOf(this.#run, 'backend').length;
    return state === 'up' && couldServe && !this.counts.answeredAfter.has(name) && this.#run.faults.some(wasHealed);
  }
}
