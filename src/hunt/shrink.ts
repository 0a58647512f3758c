/** Says how a plan can be made simpler, and whether it still fails. */
export interface Shrinkable<Plan, Evidence> {
  /** Each lists simpler plans in one respect, the smallest plans first. `evidence` is that of the present plan. */
  readonly passes: readonly ((plan: Plan, evidence: Evidence) => Iterable<Plan>)[];
  /** Returns the key of a plan: plans with the same key are the same. */
  keyOf(plan: Plan): string;
  /** Returns the plan that fails as the first one did, with its evidence. It may differ a little from the candidate.
   * Undefined: it does not fail each time. */
  test(plan: Plan): Promise<Failing<Plan, Evidence> | undefined>;
  /** Returns whether a plan is simpler than another. No plan is simpler than itself, and there is an end. */
  isSimpler(plan: Plan, than: Plan): boolean;
  /** Returns whether the time is over. */
  isOver(): boolean;
}

export interface Failing<Plan, Evidence> {
  readonly plan: Plan;
  readonly evidence: Evidence;
}

export interface Shrunk<Plan, Evidence> extends Failing<Plan, Evidence> {
  /** How many candidates were tested. */
  readonly tested: number;
  /** Whether every simpler candidate was tested and did not fail. False: the time was over before. */
  readonly isSmallest: boolean;
}

/**
 * Looks for the smallest plan that still fails: delta debugging. Each pass takes the first simpler candidate that fails,
 * and begins again from there, until none is left. All passes are repeated until none of them finds anything. No
 * candidate is tested twice. Pure but for `test` and `isOver`.
 */
export async function shrink<Plan, Evidence>(
  start: Failing<Plan, Evidence>,
  { passes, keyOf, test, isSimpler, isOver }: Shrinkable<Plan, Evidence>,
): Promise<Shrunk<Plan, Evidence>> {
  const seen = new Set([keyOf(start.plan)]);
  let smallest = start;
  let tested = 0;
  /** Returns whether the pass has found a simpler plan. */
  const step = async (pass: (typeof passes)[number]): Promise<boolean> => {
    for (const candidate of pass(smallest.plan, smallest.evidence)) {
      const key = keyOf(candidate);
      if (seen.has(key) || !isSimpler(candidate, smallest.plan)) continue;
      if (isOver()) return false;
      seen.add(key);
      tested += 1;
      const failing = await test(candidate);
      if (failing === undefined || !isSimpler(failing.plan, smallest.plan)) continue;
      seen.add(keyOf(failing.plan));
      smallest = failing;
      return true;
    }
    return false;
  };
  for (let isChanged = true; isChanged && !isOver(); ) {
    isChanged = false;
    for (const pass of passes) while (await step(pass)) isChanged = true;
  }
  return { ...smallest, tested, isSmallest: !isOver() };
}
