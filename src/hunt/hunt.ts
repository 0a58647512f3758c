import { LabError } from '../simulator/errors.js';
import { aimAgain, correctTargets, listStarts } from './aim.js';
import type { SeenTry } from './draw-plan.js';
import { type HuntedPlan, isSimpler, type TriedPlan, type TryPlan } from './hunted-plan.js';
import { type Failing, passes, shrink } from './shrink.js';

/** A plan counts as failing only if it fails this often in succession. */
const repeatsMin = 3;
/** The lab may fail once for a reason of its own. */
const labFailuresMax = 2;
/** How many earlier tries are kept. Later tries aim at their requests. */
const seenMax = 5;

export interface HuntOptions {
  /** Draws the plan of a try. */
  draw(number: number, seen: readonly SeenTry[]): HuntedPlan;
  readonly tryPlan: TryPlan;
  /** Gives users and items of a plan plain names. */
  tidy(plan: HuntedPlan): HuntedPlan;
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  readonly searchMs: number;
  readonly shrinkMs: number;
  onProgress(progress: HuntProgress): void;
}

export interface HuntProgress {
  readonly stage: 'search' | 'shrink';
  /** Runs of this stage so far. */
  readonly runs: number;
  readonly elapsedMs: number;
  readonly limitMs: number;
  readonly last: TriedPlan['word'] | 'lab failed';
  /** The smallest failing plan so far. */
  readonly smallest?: HuntedPlan | undefined;
}

export interface HuntResult {
  readonly tries: number;
  readonly inconclusive: number;
  readonly labFailures: number;
  readonly searchMs: number;
  readonly find?: Find;
  /** Why the hunt ended early: the lab failed repeatedly, or the user interrupted it. */
  readonly failure?: unknown;
  /** Sentences of the last inconclusive try. */
  readonly reasons: readonly string[];
}

export interface Find {
  readonly plan: HuntedPlan;
  readonly expectation: string;
  /** Number of the try that found it. */
  readonly foundAt: number;
  /** Whether the plan failed three times of three. If not, the failure came once and did not come again. */
  readonly isRepeatable: boolean;
  /** Number of runs after the find. */
  readonly runs: number;
  readonly shrinkMs: number;
  /** Whether nothing simpler failed. False: the time was over, or the hunt was interrupted. */
  readonly isSmallest: boolean;
}

/**
 * Looks for a plan that violates an expectation, and shrinks the first one that fails three times of three. A failure
 * that does not come again is kept aside, and the search goes on. Never rejects: `failure` says why it ended early.
 */
export async function hunt(options: HuntOptions): Promise<HuntResult> {
  const hunting = new Hunting(options);
  try {
    await hunting.search();
    return hunting.result();
  } catch (failure) {
    return { ...hunting.result(), failure };
  }
}

class Hunting {
  readonly #options: HuntOptions;
  readonly #startMs: number;
  readonly #seen: SeenTry[] = [];
  #searchedMs = 0;
  #tries = 0;
  #inconclusive = 0;
  #labFailures = 0;
  #failuresInSuccession = 0;
  #reasons: readonly string[] = [];
  #find: Find | undefined;

  constructor(options: HuntOptions) {
    this.#options = options;
    this.#startMs = options.now();
  }

  result(): HuntResult {
    return {
      tries: this.#tries,
      inconclusive: this.#inconclusive,
      labFailures: this.#labFailures,
      searchMs: this.#searchedMs,
      reasons: this.#reasons,
      ...(this.#find && { find: this.#find }),
    };
  }

  async search(): Promise<void> {
    const { draw, searchMs } = this.#options;
    while (this.#searchedMs < searchMs) {
      const number = this.#tries + 1;
      const plan = draw(number, this.#seen);
      const tried = await this.#try(plan).catch(error => {
        if (error instanceof LabError) this.#tries = number;
        throw error;
      });
      this.#tries = number;
      this.#searchedMs = this.#elapsedMs();
      this.#report(tried);
      if (tried === undefined) continue;
      this.#learn(plan, tried);
      const [expectation] = tried.unmet;
      if (tried.word !== 'fail' || expectation === undefined) continue;
      const narrowing = new Narrowing(this.#options, expectation, each => this.#try(each));
      try {
        await narrowing.narrow({ plan, evidence: tried });
      } finally {
        const find = { ...narrowing.find(plan), foundAt: number };
        if (find.isRepeatable || this.#find === undefined) this.#find = find;
      }
      if (this.#find?.isRepeatable) return;
    }
  }

  #learn(plan: HuntedPlan, tried: TriedPlan): void {
    if (tried.word === 'inconclusive') {
      this.#inconclusive += 1;
      this.#reasons = tried.reasons;
    }
    const isKnown = this.#seen.some(({ plan: { seed } }) => seed === plan.seed);
    if (tried.word === 'fail' || isKnown || tried.events.length === 0) return;
    this.#seen.push({ plan, events: tried.events });
    if (this.#seen.length > seenMax) this.#seen.shift();
  }

  /** Makes one run. Undefined when the lab failed. Rejects when it failed repeatedly. */
  async #try(plan: HuntedPlan): Promise<TriedPlan | undefined> {
    try {
      const tried = await this.#options.tryPlan(plan);
      this.#failuresInSuccession = 0;
      return tried;
    } catch (error) {
      if (!(error instanceof LabError)) throw error;
      this.#labFailures += 1;
      this.#failuresInSuccession += 1;
      if (this.#failuresInSuccession >= labFailuresMax) throw error;
      return undefined;
    }
  }

  #elapsedMs(): number {
    return this.#options.now() - this.#startMs;
  }

  #report(tried: TriedPlan | undefined): void {
    const { searchMs: limitMs, onProgress } = this.#options;
    const last = tried?.word ?? 'lab failed';
    onProgress({ stage: 'search', runs: this.#tries, elapsedMs: this.#searchedMs, limitMs, last });
  }
}

/** Makes a failure repeatable and then small, within the time for shrinking. It keeps the smallest plan so far. */
class Narrowing {
  readonly #options: HuntOptions;
  readonly #expectation: string;
  readonly #try: (plan: HuntedPlan) => Promise<TriedPlan | undefined>;
  readonly #startMs: number;
  #best: Failing<HuntedPlan, TriedPlan> | undefined;
  /** The first run of the plan that was tested last. */
  #passed: TriedPlan | undefined;
  #isSmallest = false;
  #runs = 0;

  constructor(
    options: HuntOptions,
    expectation: string,
    tryOnce: (plan: HuntedPlan) => Promise<TriedPlan | undefined>,
  ) {
    this.#options = options;
    this.#expectation = expectation;
    this.#try = tryOnce;
    this.#startMs = options.now();
  }

  find(drawn: HuntedPlan): Omit<Find, 'foundAt'> {
    return {
      plan: this.#best?.plan ?? drawn,
      expectation: this.#expectation,
      isRepeatable: this.#best !== undefined,
      runs: this.#runs,
      shrinkMs: this.#options.now() - this.#startMs,
      isSmallest: this.#isSmallest,
    };
  }

  async narrow(found: Failing<HuntedPlan, TriedPlan>): Promise<void> {
    this.#best = await this.#firstOf(listStarts(found.plan, found.evidence), found);
    if (this.#best === undefined) return;
    const { isSmallest } = await shrink(this.#best, {
      passes,
      keyOf: plan => JSON.stringify(plan),
      test: plan => this.#test(plan, this.#best ?? found),
      isSimpler,
      isOver: () => this.#isOver(),
    });
    this.#isSmallest = isSmallest;
    await this.#tidy();
  }

  async #firstOf(
    plans: readonly HuntedPlan[],
    found: Failing<HuntedPlan, TriedPlan>,
  ): Promise<Failing<HuntedPlan, TriedPlan> | undefined> {
    for (const plan of plans) {
      if (this.#isOver()) return undefined;
      const failing = (await this.#test(plan, found)) ?? (await this.#aimAgain(plan, found));
      if (failing !== undefined) return failing;
    }
    return undefined;
  }

  /** Aims at the requests of a user that was alone and lost nothing. */
  async #aimAgain(plan: HuntedPlan, found: Failing<HuntedPlan, TriedPlan>) {
    if (plan.users.length > 1 || this.#passed === undefined) return undefined;
    for (const aimed of aimAgain(plan, this.#passed)) {
      const failing = this.#isOver() ? undefined : await this.#test(aimed, found);
      if (failing !== undefined) return failing;
    }
    return undefined;
  }

  async #tidy(): Promise<void> {
    if (this.#best === undefined) return;
    const failing = await this.#test(this.#options.tidy(this.#best.plan), this.#best);
    if (failing !== undefined) this.#best = failing;
  }

  /** Tests a plan, and once more with its faults on the backends that answered. */
  async #test(
    plan: HuntedPlan,
    model: Failing<HuntedPlan, TriedPlan>,
  ): Promise<Failing<HuntedPlan, TriedPlan> | undefined> {
    const first = await this.#run(plan);
    this.#passed = first;
    if (this.#fails(first)) return this.#repeat(plan, first);
    const corrected = first && correctTargets(plan, first, model.evidence, model.plan);
    const second = corrected && (await this.#run(corrected));
    return corrected !== undefined && this.#fails(second) ? this.#repeat(corrected, second) : undefined;
  }

  async #repeat(plan: HuntedPlan, evidence: TriedPlan): Promise<Failing<HuntedPlan, TriedPlan> | undefined> {
    for (let failed = 1; failed < repeatsMin; failed += 1) if (!this.#fails(await this.#run(plan))) return undefined;
    if (this.#best === undefined || isSimpler(plan, this.#best.plan)) this.#best = { plan, evidence };
    return { plan, evidence };
  }

  #fails(tried: TriedPlan | undefined): tried is TriedPlan {
    return tried !== undefined && tried.word === 'fail' && tried.unmet.includes(this.#expectation);
  }

  async #run(plan: HuntedPlan): Promise<TriedPlan | undefined> {
    const tried = await this.#try(plan);
    this.#runs += 1;
    const { now, shrinkMs: limitMs, onProgress } = this.#options;
    const last = tried?.word ?? 'lab failed';
    const smallest = this.#best?.plan;
    onProgress({ stage: 'shrink', runs: this.#runs, elapsedMs: now() - this.#startMs, limitMs, last, smallest });
    return tried;
  }

  #isOver(): boolean {
    return this.#options.now() - this.#startMs >= this.#options.shrinkMs;
  }
}
