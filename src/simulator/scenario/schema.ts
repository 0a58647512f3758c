import { z } from 'zod';
import { type ModeName, modeGroups, modeNames } from '../../modes.js';
import { durationPattern, parseDuration } from '../../shared/duration.js';
import { storeAddresses } from '../../shared/store-addresses.js';
import { parseExpectation } from '../checker/verdict/expectations.js';
import { ScenarioError } from '../errors.js';
import { faults } from '../faults/kinds/registry.js';
import { faultIdPattern as idPattern, parseWhen, whenPattern } from '../faults/trigger.js';
import { ownBackendKeys, target } from './own-app.js';
import { storesInFile } from './stores.js';
import { users } from './users.js';
import { duration, map, oneOf, sayExpected, text, wholeNumber } from './values.js';
import { isMap } from './yaml.js';

/**
 * What a scenario file may hold, as written: checked with it, and described by it to editors (`scenarioJsonSchema`).
 * Its output has durations in milliseconds and every default filled in.
 */

const notALine = sayExpected('an expectation such as "writes.lost == 0", or warn: and one');

const expectation = z
  .string({ error: sayExpected('an expectation such as "writes.lost == 0"') })
  .superRefine((written, context) => {
    try {
      parseExpectation(written);
    } catch (error) {
      if (!(error instanceof ScenarioError)) throw error;
      context.addIssue({ code: 'custom', message: error.message });
    }
  });

const warning = map('a warning', {
  warn: expectation.describe('Shown when it is not met; the verdict does not depend on it.'),
});

/** A list under `expect`: each line is an expectation, or `warn:` and one. */
const expectations = z.array(
  z.union([expectation, warning], {
    error: issue => (isMap(issue.input) ? warningComplaint(issue.input) : notALine(issue)),
  }),
  { error: sayExpected('a list of expectations') },
);

/** What is there and unknown says more than what is missing because of it. */
function warningComplaint(written: unknown): string | undefined {
  const issues = warning.safeParse(written).error?.issues ?? [];
  return (issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0])?.message;
}

/** The names that `--policy` of the proxy knows. The simulator sees the proxy only as a process, so they stand here again. */
export const policyNames = ['round-robin', 'least-connections', 'random', 'rendezvous'] as const;

/** What the lab itself sets for every backend. */
export const labVariables: readonly string[] = [
  ...['PORT', 'HOST', 'BACKEND_ID', 'HOLDFAST_MODE'],
  ...Object.values(storeAddresses).map(({ variable }) => variable),
];
const variableName = text('the name of a variable', /^[A-Za-z_][A-Za-z0-9_]*$/);
const variableValue = z
  .union([z.string(), z.number(), z.boolean()], { error: sayExpected('text, a number, true or false') })
  .transform(String);
const environment = z
  .record(variableName, variableValue, {
    error: issue =>
      issue.code === 'invalid_key' ? issue.issues[0]?.message : sayExpected('a map of variables')(issue),
  })
  .describe('Added to the environment of every backend.');

const health = map('system.proxy.health', {
  every: duration().prefault('500ms').describe('Time between two probes of one backend.'),
  timeout: duration().prefault('300ms').describe('A probe that takes longer has failed.'),
  fall: wholeNumber(1, 20).default(2).describe('So many failed probes in a row take a backend out.'),
  rise: wholeNumber(1, 20).default(2).describe('So many good probes in a row bring it back.'),
});

const system = map('system', {
  target,
  backends: map('system.backends', {
    count: wholeNumber(1, 20).default(3),
    spare: wholeNumber(0, 10)
      .default(0)
      .describe('More that the proxy knows and that are not started: "scale-out" does it.'),
    env: environment.default({}),
    ...ownBackendKeys,
  }).prefault({}),
  proxy: map('system.proxy', {
    count: wholeNumber(1, 2).default(1).describe('Two share one key ring; users come in by either of them.'),
    health: health.prefault({}),
    policy: oneOf('policy', policyNames).default('round-robin'),
    'hash-key': text('address, header:<name> or cookie:<name>', /^(?:address|(?:header|cookie):[^\s;,=:]+)$/)
      .optional()
      .describe('What the policy "rendezvous" hashes. Every user of a run comes from one address: name a cookie.'),
    affinity: oneOf('affinity', ['on', 'off', 'temporary'])
      .optional()
      .describe(
        'Whether a browser is bound to one backend, whatever the mode; by default as the mode says. "temporary": bound, and when its backend answers again, the browser goes back to it.',
      ),
    drain: duration(0).prefault('1s').describe('How long a draining backend keeps the browsers bound to it.'),
  }).prefault({}),
  ...storesInFile,
});

const phases = map('phases', {
  warmup: duration(0).prefault('500ms'),
  baseline: duration(0).prefault('1500ms'),
  faults: duration(0).prefault('3s'),
  recovery: duration(0).prefault('1500ms'),
  quiesce: duration(0).prefault('300ms'),
});

const faultKeys = {
  id: text('a name in lower case such as kill-2', new RegExp(`^${idPattern}$`)),
  at: duration(0).optional().describe('So long after the faults phase began.'),
  after: text(
    'an earlier fault and a delay, such as "kill + 500ms"',
    new RegExp(`^${idPattern}(\\s*\\+\\s*${durationPattern})?$`),
  )
    .transform(written => {
      const [id = '', delay] = written.split('+').map(part => part.trim());
      return { id, delayMs: delay === undefined ? 0 : (parseDuration(delay) ?? 0) };
    })
    .optional()
    .describe('So long after an earlier fault had healed; after one without "for": so long after it was confirmed.'),
  when: text('a count such as "writes.acknowledged since cut >= 50"', whenPattern)
    .transform((written, context) => {
      try {
        return parseWhen(written);
      } catch (error) {
        if (!(error instanceof ScenarioError)) throw error;
        context.addIssue({ code: 'custom', message: error.message });
        return z.NEVER;
      }
    })
    .optional()
    .describe('As soon as so much has happened, in the whole run or since an earlier fault was confirmed.'),
  do: oneOf('fault', Object.keys(faults)),
  target: text('a target such as backend-1, backend-any, redis, store, proxy->backend-1 or secrets', /\S/).describe(
    'A backend, the proxy, a store server, "store" for the one of the mode, "from->to" for the link between two of them, or "secrets" for the key ring of all backends.',
  ),
  for: duration(0).optional().describe('From confirmed to healing. Without it: until the faults phase ends.'),
};

/** One shape for each fault, with the options of its own. */
const faultShapes = Object.entries(faults).map(([name, entry]) => {
  // What it is in detail only the fault itself knows, which reads its options once more (`defineFault`).
  const options: object = entry.options;
  return map(`a ${name} fault`, { ...faultKeys, do: z.literal(name), ...options });
});
const notAFault = sayExpected(`a map with the keys ${Object.keys(faultKeys).join(', ')}`);
const fault = z.discriminatedUnion('do', atLeastOne(faultShapes), {
  error: issue => (isMap(issue.input) ? messageOf(faultKeys.do.safeParse(issue.input.do)) : notAFault(issue)),
});

function atLeastOne<T>(list: readonly T[]): [T, ...T[]] {
  const [first, ...others] = list;
  if (first === undefined) throw new Error('a registry is empty');
  return [first, ...others];
}

function messageOf({ error }: { readonly error?: z.ZodError | undefined }): string | undefined {
  return error?.issues[0]?.message;
}

const groupNames = Object.keys(modeGroups) as (keyof typeof modeGroups)[];
const isGroup = (name: string): name is keyof typeof modeGroups => Object.hasOwn(modeGroups, name);
const modeList = z
  .array(oneOf('mode', [...modeNames, ...groupNames]), { error: sayExpected('a list of modes') })
  .min(1, { error: sayExpected(`at least one mode: ${modeNames.join(', ')}`) })
  .transform(names => names.flatMap((name): readonly ModeName[] => (isGroup(name) ? modeGroups[name] : [name])))
  .refine(list => new Set(list).size === list.length, { error: 'found a mode twice, expected each once' });

export const scenarioFile = map('the scenario', {
  name: text('a name in lower case such as kill-one', /^[a-z0-9][a-z0-9-]{0,59}$/),
  why: text('a sentence that says what this shows', /\S/),
  seed: wholeNumber(0, Number.MAX_SAFE_INTEGER).default(1),
  modes: modeList.describe('Names of modes; "all" stands for every mode, "shared" for those without affinity.'),
  system: system.prefault({}),
  users,
  phases: phases.prefault({}),
  faults: z.array(fault, { error: sayExpected('a list of faults') }).default([]),
  expect: map('expect', {
    any: expectations.default([]).describe('Expected in every mode.'),
    ...Object.fromEntries(modeNames.map(mode => [mode, expectations.optional()])),
    others: expectations.optional().describe('Expected in every mode that has no list of its own here.'),
  }).prefault({}),
});

/** The parts that are checked against each other. */
export const scenarioParts = {
  /** Of the system what its members follow from. */
  targetSystem: z.object({ backends: system.shape.backends, proxy: system.shape.proxy, ...storesInFile }),
  users,
  phases,
  fault,
  action: faultKeys.do,
  after: faultKeys.after,
  when: faultKeys.when,
  modeList,
};

export type ScenarioFile = z.output<typeof scenarioFile>;
export type FaultInFile = z.output<typeof fault>;

/** For editors: what `# yaml-language-server: $schema=` points at. */
export function scenarioJsonSchema(): object {
  return { ...z.toJSONSchema(scenarioFile, { target: 'draft-7', io: 'input' }), title: 'Holdfast scenario' };
}
