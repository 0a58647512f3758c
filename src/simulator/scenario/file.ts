import path from 'node:path';
import { specsFrom } from '../cluster/stores/registry.js';
import { faults } from '../faults/kinds/registry.js';
import type { FaultTrigger } from '../faults/trigger.js';
import { crossProblems } from './checks.js';
import { toExternal } from './own-system.js';
import type { FaultSpec, Scenario } from './scenario.js';
import { type FaultInFile, type ScenarioFile, scenarioFile, toMembers } from './schema.js';
import { arrivalsOf } from './users.js';
import {
  type Problem,
  parseYaml,
  readTextFile,
  scenarioBytesMax,
  shapeProblems,
  valueAt,
  type YamlFile,
} from './yaml.js';

/** Reads a scenario. Rejects with `ScenarioError` when the file cannot be read or is no scenario. */
export async function readScenario(file: string): Promise<Scenario> {
  return parseScenario(await readScenarioText(file), file);
}

export function readScenarioText(file: string): Promise<string> {
  const example = 'a scenario such as scenarios/kill-one.yaml';
  return readTextFile(file, { bytesMax: scenarioBytesMax, what: 'a scenario in YAML', example });
}

export interface PlacedScenario extends Pick<YamlFile, 'placeOf'> {
  readonly scenario: Scenario;
}

/** Reads a scenario and returns it with a function that locates its parts in the file. */
export async function readPlacedScenario(file: string): Promise<PlacedScenario> {
  return parsePlaced(await readScenarioText(file), file);
}

/** Parses a scenario. Throws `ScenarioError` with one line per mistake, at most ten: `file:line:column: found ...,
 * expected ...`. */
export function parseScenario(text: string, fileName: string): Scenario {
  return parsePlaced(text, fileName).scenario;
}

function parsePlaced(text: string, fileName: string): PlacedScenario {
  const yaml = parseYaml(text, fileName);
  const read = scenarioIn(yaml.value, path.dirname(fileName));
  if ('problems' in read) throw yaml.refusal(read.problems);
  const why = joinBrokenWords(read.scenario.why, yaml.sourceOf(['why']));
  return { scenario: { ...read.scenario, why }, placeOf: yaml.placeOf };
}

/** Turns the content of a file in `folder` into a scenario, or returns all its problems. Pure. */
export function scenarioIn(
  written: unknown,
  folder: string,
): { readonly scenario: Scenario } | { readonly problems: readonly Problem[] } {
  const shape = scenarioFile.safeParse(written);
  const problems = [
    ...(shape.error?.issues ?? []).flatMap(issue => shapeProblems(issue, written)),
    ...crossProblems(written),
  ];
  if (!shape.success || problems.length > 0) return { problems };
  return { scenario: toScenario(shape.data, written, folder) };
}

function toBackends(
  { count, spare, env, command, directory = '.', ready }: ScenarioFile['system']['backends'],
  folder: string,
): Scenario['system']['backends'] {
  if (command === undefined) return { count, spare, env };
  const { http, within: withinMs } = { http: '/', within: 10_000, ...ready };
  return { count, spare, env, own: { command, directory: path.resolve(folder, directory), ready: { http, withinMs } } };
}

/** Converts the parsed file. `written`: the same file before its values were parsed. `folder`: its folder. */
function toScenario(file: ScenarioFile, written: unknown, folder: string): Scenario {
  const { name, why, seed, modes, system, users, phases } = file;
  const { health, policy, 'hash-key': hashKey, affinity, maxconn, queue, drain } = system.proxy;
  const queueTimeoutMs = system.proxy['queue-timeout'];
  const external = toExternal(system.proxy, path.resolve(folder));
  return {
    name,
    why: why.trim(),
    seed,
    modes,
    system: {
      ...(system.target === undefined ? {} : { target: system.target }),
      ...(system.members === undefined ? {} : { members: toMembers(system.members) }),
      backends: toBackends(system.backends, folder),
      proxy: {
        count: system.proxy.count,
        health: { everyMs: health.every, timeoutMs: health.timeout, fall: health.fall, rise: health.rise },
        policy,
        ...(hashKey === undefined ? {} : { hashKey }),
        ...(affinity === undefined ? {} : { affinity }),
        ...(maxconn === undefined ? {} : { maxconn }),
        ...(queue === undefined ? {} : { queue }),
        ...(queueTimeoutMs === undefined ? {} : { queueTimeoutMs }),
        drainMs: drain,
        ...(external === undefined ? {} : { external }),
      },
      ...specsFrom(system),
    },
    users: {
      ...(users.plan === undefined ? {} : { plan: users.plan }),
      arrivals: toArrivals(users),
      ...toNames(users),
      think: { medianMs: users.think.median, p95Ms: users.think.p95 },
      ...(users.mix === undefined ? {} : { mix: users.mix }),
      tabs: users.tabs,
      slowAtLogoutMs: users['slow-at-logout'],
      ...(users['replay-every'] === undefined ? {} : { replayEveryMs: users['replay-every'] }),
      timeoutMs: users.timeout,
      ...(users['browser-cookie'] === undefined ? {} : { browserCookie: users['browser-cookie'] }),
      ...(users.cookie === undefined ? {} : { cookie: users.cookie }),
      journey: users.journey,
    },
    phases: {
      warmupMs: phases.warmup,
      baselineMs: phases.baseline,
      faultsMs: phases.faults,
      recoveryMs: phases.recovery,
      quiesceMs: phases.quiesce,
    },
    faults: file.faults.map((fault, index) => toFault(fault, valueAt(written, ['faults', index]))),
    expect: file.expect,
  };
}

function toNames({ names, plan }: ScenarioFile['users']): Pick<Scenario['users'], 'names'> {
  if (plan !== undefined) return { names: plan.map(({ name }) => name) };
  return names === undefined ? {} : { names };
}

/** Returns the arrivals of the file, or those that describe its plan. One of the two is there. */
function toArrivals({ arrivals, plan = [] }: ScenarioFile['users']): Scenario['users']['arrivals'] {
  if (arrivals === undefined) return arrivalsOf(plan);
  const { rate: ratePerSecond, for: forMs, process, 'max-active': maxActive } = arrivals;
  return { ratePerSecond, forMs, process, maxActive };
}

/** Converts a parsed fault. `written`: the same fault before its values were parsed. */
function toFault(fault: FaultInFile, written: unknown): FaultSpec {
  const { id, do: action, target } = fault;
  const entry = faults[action];
  const names = Object.keys(entry?.options ?? {}).filter(name => valueAt(written, [name]) !== undefined);
  const options = Object.fromEntries(names.map(name => [name, valueAt(written, [name])]));
  const forMs = fault.for ?? entry?.lengthMs?.(options);
  return {
    id,
    trigger: triggerOf(fault),
    do: action,
    target,
    ...(names.length > 0 && { options }),
    ...(forMs !== undefined && { forMs }),
  };
}

function triggerOf({ at, after, when }: FaultInFile): FaultTrigger {
  if (when !== undefined) return when;
  return after === undefined ? { atMs: at ?? 0 } : { afterFault: after.id, delayMs: after.delayMs };
}

/**
 * Joins words that the file broke at a hyphen: YAML folds `log-`, a line end and `ins` into `log- ins`. This restores
 * `log-ins`. `source` is the text as it is in the file: "pre- and post-reads" within one line stays unchanged.
 */
export function joinBrokenWords(folded: string, source: string): string {
  const atSpaces = /(?<=\p{L})- (?=\p{L})/gu;
  const inSource = source.match(/(?<=\p{L})-(?: |\r?\n[ \t]*)(?=\p{L})/gu) ?? [];
  // YAML keeps some line ends. Then the places in the two texts cannot be matched.
  if (folded.match(atSpaces)?.length !== inSource.length) return folded;
  let next = 0;
  return folded.replaceAll(atSpaces, found => (inSource[next++]?.includes('\n') ? '-' : found));
}
