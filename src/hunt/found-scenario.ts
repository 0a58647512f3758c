import type { ModeName } from '../modes.js';
import { userName } from '../simulator/plan/plan.js';
import type { PlannedUser } from '../simulator/plan/planned-user.js';
import type { Scenario } from '../simulator/scenario/scenario.js';
import { writeScenario } from '../simulator/scenario/write.js';
import type { Find, HuntResult } from './hunt.js';
import { type HuntedPlan, makeRunScenario } from './hunted-plan.js';

const nameMax = 60;

/** The scenario, the mode and the expectations of a hunt. */
export interface HuntSetup {
  readonly base: Scenario;
  readonly mode: ModeName;
  readonly sought: readonly string[];
}

/** Gives the users of a plan the first names of the scenario, and their items plain names. Pure. */
export function tidyPlan({ users: { names } }: Pick<Scenario, 'users'>, plan: HuntedPlan): HuntedPlan {
  const items = new Map<string, string>();
  const nameItem = (token: string, user: number): string => {
    const known = items.get(token) ?? `item-${user}.${[...items.values()].filter(isItemOf(user)).length + 1}`;
    items.set(token, known);
    return known;
  };
  const users = plan.users.map(
    ({ steps }, index): PlannedUser => ({
      name: userName(names, index + 1),
      steps: steps.map(step => (step.token === undefined ? step : { ...step, token: nameItem(step.token, index + 1) })),
    }),
  );
  return { ...plan, users };
}

function isItemOf(user: number): (item: string) => boolean {
  return item => item.startsWith(`item-${user}.`);
}

/** Returns the file that repeats a find. The parser accepts it. Pure. */
export function writeFind(find: Find, { base, mode, sought }: HuntSetup, huntSeed: number): string {
  const scenario = makeRunScenario(
    base,
    mode,
    [find.expectation, ...sought.filter(line => line !== find.expectation)],
    find.plan,
  );
  return writeScenario(
    {
      ...scenario,
      name: `hunt-${base.name}`.slice(0, nameMax).replace(/-$/, ''),
      why: `A hunt in the scenario ${base.name} found this plan: ${find.expectation} is not met in mode ${mode}.`,
    },
    [
      {
        path: [],
        above: [`Found by "holdfast hunt" with seed ${huntSeed}, try ${find.foundAt}. ${describeTrust(find)}`],
      },
      { path: ['users', 'plan'], above: ['Each user with all its steps, at fixed times of the run.'] },
      { path: ['expect', 'any', 0], beside: 'not met' },
    ],
  );
}

function describeTrust({ isRepeatable, isSmallest }: Find): string {
  if (!isRepeatable) return 'It failed once and not three times of three, so a run of it may pass.';
  return isSmallest
    ? 'It failed three times of three, and nothing simpler did.'
    : 'It failed three times of three. The time for shrinking was over, so a simpler plan may fail, too.';
}

/** Returns what a hunt found, in sentences for a terminal. Pure. */
export function describeFind(find: Find): string[] {
  const { expectation, foundAt, runs, shrinkMs, plan } = find;
  const lines = [`found in try ${foundAt}: ${expectation} is not met.`];
  if (!find.isRepeatable)
    return [
      ...lines,
      `The failure did not come three times of three in ${runs} more runs: this is the plan as it was drawn.`,
    ];
  const end = find.isSmallest
    ? 'Nothing simpler failed.'
    : 'The time for shrinking was over: a simpler plan may fail, too.';
  return [
    ...lines,
    `Shrunk in ${runs} runs (${seconds(shrinkMs)}) to ${describeSize(plan)}. It failed three times of three. ${end}`,
  ];
}

export function describeSize({ faults, users }: HuntedPlan): string {
  const steps = users.reduce((sum, user) => sum + user.steps.length, 0);
  return [countOf(faults.length, 'fault'), countOf(users.length, 'user'), countOf(steps, 'step')].join(', ');
}

/** Says how much was tried in vain. Pure. */
export function describeNothing({ tries, inconclusive, labFailures, searchMs, reasons }: HuntResult): string[] {
  const judged = tries - inconclusive - labFailures;
  const failures = labFailures === 0 ? '' : `, ${labFailures} in which the lab failed`;
  const lines = [
    `found nothing: ${countOf(tries, 'try', 'tries')} in ${seconds(searchMs)}: ${judged} passed, ${inconclusive} inconclusive${failures}.`,
  ];
  const [reason] = reasons;
  return inconclusive > 0 && reason !== undefined ? [...lines, `the last inconclusive try: ${reason}`] : lines;
}

function countOf(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
