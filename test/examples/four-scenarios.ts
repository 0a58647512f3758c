import path from 'node:path';
import type { ModeName } from '#src/modes.js';
import { packageFile } from '#src/shared/package.js';
import { check } from '#src/simulator/checker/check.js';
import type { Findings } from '#src/simulator/checker/findings.js';
import type { RunRecord } from '#src/simulator/history/records.js';
import { makePlan } from '#src/simulator/plan/plan.js';
import { readScenario } from '#src/simulator/scenario/file.js';
import type { Scenario } from '#src/simulator/scenario/scenario.js';
import { simulate } from '#src/simulator/simulate.js';

/** The scenarios that compare express-session with holdfast/sessions. */
export const comparedScenarios = ['kill-one', 'parallel-tabs', 'logout-race', 'store-hang'] as const;
export type ComparedScenario = (typeof comparedScenarios)[number];

interface SessionChoice {
  readonly command: string;
  /** The mode decides the routing, and whether a store is started. */
  readonly mode: ModeName;
}

/** The ways to keep the sessions of the shop in examples/express. */
export const sessionChoices = {
  'express-session': { command: 'node server.js', mode: 'sticky' },
  'express-session with connect-redis': { command: 'node server.js', mode: 'redis' },
  'holdfast/sessions with Redis': { command: 'node server-holdfast.js', mode: 'redis' },
} as const satisfies Record<string, SessionChoice>;
export type SessionChoiceName = keyof typeof sessionChoices;

/** Time that an add waits for the stock. Under way at a logout, it saves afterwards. */
const reserveMs = 50;

export interface Compared {
  readonly run: RunRecord;
  readonly findings: Findings;
}

/** Runs a scenario of the project on the Express shop: its users, phases and faults, with the pages of the shop. */
export async function runOnShop(name: ComparedScenario, choice: SessionChoiceName): Promise<Compared> {
  const { command, mode } = sessionChoices[choice];
  const shop = await readScenario(packageFile('examples/express/holdfast.yaml'));
  const scenario = putShopInto(await readScenario(packageFile(path.join('scenarios', `${name}.yaml`))), shop, command);
  const { signal } = new AbortController();
  const run = await simulate(scenario, mode, makePlan(scenario, scenario.seed), {
    onProgress: () => undefined,
    signal,
  });
  return { run, findings: check(run) };
}

function putShopInto(scenario: Scenario, { system, users }: Scenario, command: string): Scenario {
  const { own, env } = system.backends;
  if (own === undefined) throw new Error('examples/express/holdfast.yaml starts no app');
  const isLate = scenario.users.slowAtLogoutMs !== undefined;
  return {
    ...scenario,
    system: {
      ...system,
      backends: { ...system.backends, own: { ...own, command }, env: { ...env, RESERVE_MS: `${reserveMs}` } },
    },
    users: { ...scenario.users, journey: users.journey, ...(isLate ? { slowAtLogoutMs: reserveMs } : {}) },
  };
}
