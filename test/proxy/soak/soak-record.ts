import type { Footprint } from './footprint.js';
import { type End, offences, type Shot } from './judge.js';
import type { PostLedger } from './post-ledger.js';
import { type Trend, trend } from './trend.js';
import type { Trouble, TroubleKind } from './troubles.js';
import type { WishKind } from './wishes.js';

const examplesMax = 20;

/** The limits of growth, measured along the line through all samples. Three times their noise is always allowed. */
export interface Flatness {
  /** Earlier samples are ignored. */
  readonly warmUpMs: number;
  readonly growthMbMax: number;
  readonly growthDescriptorsMax: number;
}

/** The results of a soak so far; each request is judged as it ends. */
export class SoakRecord {
  readonly startedMs: number;
  readonly ends = new Map<WishKind, Partial<Record<End | 'own', number>>>();
  readonly troubles: Trouble[] = [];
  /** The first offences; `offenceCount` counts all. */
  readonly offences: string[] = [];
  readonly footprint: Footprint;
  readonly getMs: number[] = [];
  requests = 0;
  failed = 0;
  leftOut = 0;
  cpuMs = 0;
  #offenceCount = 0;
  readonly #ledger: PostLedger;

  constructor(ledger: PostLedger, footprint: Footprint, startedMs: number) {
    this.#ledger = ledger;
    this.footprint = footprint;
    this.startedMs = startedMs;
  }

  add(shot: Shot): void {
    this.requests += 1;
    const own = shot.end === 'answered' && shot.answer?.proxyStatus !== undefined;
    const ends = this.ends.get(shot.kind) ?? {};
    const end = own ? 'own' : shot.end;
    ends[end] = (ends[end] ?? 0) + 1;
    this.ends.set(shot.kind, ends);
    if (end !== 'answered' && end !== 'left') this.failed += 1;
    if (shot.kind === 'get' && end === 'answered') this.getMs.push(shot.endedMs - shot.startedMs);
    this.#notePost(shot);
    for (const what of offences(shot, this.troubles)) this.offence(`${this.#at(shot.endedMs)} ${shot.kind}: ${what}`);
  }

  /** Called before a fault begins. */
  readonly trouble = (trouble: Trouble): void => {
    this.troubles.push(trouble);
  };

  offence(what: string): void {
    this.#offenceCount += 1;
    if (this.offences.length < examplesMax) this.offences.push(what);
  }

  get offenceCount(): number {
    return this.#offenceCount;
  }

  get posts(): number {
    return this.#ledger.count;
  }

  troubleCounts(): Partial<Record<TroubleKind, number>> {
    const counts: Partial<Record<TroubleKind, number>> = {};
    for (const { kind } of this.troubles) counts[kind] = (counts[kind] ?? 0) + 1;
    return counts;
  }

  /** Resident memory of the proxy in MB, from `warmUpMs` after the start. */
  memory(warmUpMs: number): Trend | undefined {
    return trend(this.footprint.residentMb.filter(({ atMs }) => atMs >= this.startedMs + warmUpMs));
  }

  descriptors(warmUpMs: number): Trend | undefined {
    return trend(this.footprint.descriptors.filter(({ atMs }) => atMs >= this.startedMs + warmUpMs));
  }

  /** Returns everything that is wrong: what was seen at once and what only the whole shows. Empty: passed. */
  verdict({ warmUpMs, growthMbMax, growthDescriptorsMax }: Flatness): readonly string[] {
    return [
      ...this.offences,
      ...this.#ledger.offences(),
      ...checkGrowth('MB of memory', this.memory(warmUpMs), growthMbMax),
      ...checkGrowth('file descriptors', this.descriptors(warmUpMs), growthDescriptorsMax),
    ];
  }

  #notePost({ kind, end, answer, token }: Shot): void {
    if (!kind.endsWith('post') || end !== 'answered') return;
    if (answer?.proxyStatus === undefined) this.#ledger.acknowledged(token);
    else if (/outcome=not-sent/.test(answer.proxyStatus)) this.#ledger.notSent(token);
  }

  #at(ms: number): string {
    return `${((ms - this.startedMs) / 1_000).toFixed(1)} s`;
  }
}

function checkGrowth(what: string, line: Trend | undefined, most: number): string[] {
  if (line === undefined) return [`${what}: too few samples`];
  const allowed = Math.max(most, 3 * line.noise);
  return line.growth <= allowed
    ? []
    : [`${line.growth.toFixed(1)} ${what} more at the end (at most ${allowed.toFixed(1)})`];
}
