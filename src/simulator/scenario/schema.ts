import * as z from 'zod';
import { type ModeName, modeGroups, modeNames } from '../../modes.js';
import { durationPattern, parseDuration } from '../../shared/units.js';
import { parseExpectation } from '../checker/verdict/expectations.js';
import { findUnknownPlaceholder } from '../cluster/backend.js';
import { type DriverCommands, drivers, type MembersSpec } from '../cluster/external/drivers.js';
import { storeSchemas } from '../cluster/stores/registry.js';
import { ScenarioError } from '../errors.js';
import { faults } from '../faults/kinds/registry.js';
import { faultIdPattern as idPattern, parseWhen, whenPattern } from '../faults/trigger.js';
import { externalProxyKeys, ownBackendKeys, target } from './own-system.js';
import { users } from './users.js';
import { duration, environment, map, oneOf, sayExpected, text, wholeNumber } from './values.js';
import { isMap } from './yaml.js';

/**
 * Schema of a scenario file. It checks a file, and editors complete and explain keys with it (`scenarioJsonSchema`).
 * Its output has durations in milliseconds and every default filled in.
 */

const notALine = sayExpected('an expectation such as "writes.lost == 0", or "warn:" with an expectation');

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
  warn: expectation.describe('An expectation that is reported when it is not met. The verdict does not depend on it.'),
});

/** Schema of a list under `expect`. Each line is an expectation, or `warn:` with an expectation. */
const expectations = z.array(
  z.union([expectation, warning], {
    error: issue => (isMap(issue.input) ? describeWarningMistake(issue.input) : notALine(issue)),
  }),
  { error: sayExpected('a list of expectations') },
);

/** Returns the message for a warning. An unknown key says more than the missing key that it causes. */
function describeWarningMistake(written: unknown): string | undefined {
  const issues = warning.safeParse(written).error?.issues ?? [];
  return (issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0])?.message;
}

/** Names that `--policy` of the proxy knows. They are repeated here: the simulator sees the proxy only as a process. */
export const policyNames = ['round-robin', 'least-connections', 'random', 'rendezvous'] as const;

const health = map('system.proxy.health', {
  every: duration().prefault('500ms').describe('Time between two probes of one backend.'),
  timeout: duration().prefault('300ms').describe('A probe that takes longer has failed.'),
  fall: wholeNumber(1, 20).default(2).describe('Number of consecutive failed probes after which a backend is down.'),
  rise: wholeNumber(1, 20).default(2).describe('Number of consecutive successful probes after which it is up again.'),
});

const placeholders = ['member', 'selector'];

function command(what: string) {
  return text('a command such as "docker kill {member}"', /\S/)
    .superRefine((written, context) => {
      const strange = findUnknownPlaceholder(written, placeholders);
      if (strange === undefined) return;
      const known = placeholders.map(name => `{${name}}`).join(' or ');
      context.addIssue({ code: 'custom', message: `found {${strange}}, expected ${known}` });
    })
    .describe(what);
}

const ownCommands = map('system.members.driver', {
  list: command(
    'Prints the members that are ready, the oldest first, one on each line. Further words of a line are names that answers may give it. Default: those names of the selector that are alive.',
  ).optional(),
  alive: command('Ends with code 0 if the member serves: it runs, and it does not hang.'),
  kill: command('Ends the member at once.').optional(),
  hang: command('Freezes the member.').optional(),
  resume: command('Undoes "hang".').optional(),
  stop: command('Asks the member to end.').optional(),
  start: command('Starts the member again. Leave it out if something else replaces the member.').optional(),
});

const driverName = oneOf('driver', Object.keys(drivers));

/** Schema of `system.members`: how faults strike the members of a system that the lab did not start. */
const members = map('system.members', {
  driver: z
    .union([driverName, ownCommands], {
      // Without a message, the problems of the single commands are reported.
      error: ({ input }) => (isMap(input) ? '' : driverName.safeParse(input).error?.issues[0]?.message),
    })
    .describe('What runs the members, or commands of your own. {member} and {selector} are filled in.'),
  selector: text('what chooses the members, such as app=shop', /^[\w.@:/=, *?!()[\]-]{1,200}$/).describe(
    'Chooses the members: a label of containers, a pattern of units, or for commands of your own what "list" expects.',
  ),
  'named-by': text('the name of a response header', /^[\w!#$%&'*+.^`|~-]+$/)
    .optional()
    .describe('The response header in which an answer names its member. Default: Holdfast-Backend.'),
  within: duration(1, '2min').prefault('15s').describe('Time limit of each command, and of each wait for its effect.'),
});

const system = map('system', {
  target,
  members: members.optional(),
  backends: map('system.backends', {
    count: wholeNumber(1, 20).default(3),
    spare: wholeNumber(0, 10)
      .default(0)
      .describe('Number of further backends that the proxy knows but that are not started. "scale-out" starts them.'),
    env: environment.describe('Added to the environment of every backend.').default({}),
    ...ownBackendKeys,
  }).prefault({}),
  proxy: map('system.proxy', {
    count: wholeNumber(1, 2)
      .default(1)
      .describe('Number of proxies. Two proxies share one key ring, and users use both.'),
    health: health.prefault({}),
    policy: oneOf('policy', policyNames).default('round-robin'),
    'hash-key': text('address, header:<name> or cookie:<name>', /^(?:address|(?:header|cookie):[^\s;,=:]+)$/)
      .optional()
      .describe('What the policy "rendezvous" hashes. All users of a run have the same address, so name a cookie.'),
    affinity: oneOf('affinity', ['on', 'off', 'temporary'])
      .optional()
      .describe(
        'Whether a browser is bound to one backend. Default: as the mode says. "temporary": bound, and the browser returns to its backend when that backend answers again.',
      ),
    maxconn: wholeNumber(1, 100_000)
      .optional()
      .describe('The most requests that a backend gets at once. Further requests wait. Default: no limit.'),
    queue: wholeNumber(0, 100_000)
      .optional()
      .describe('The most requests that wait for a backend with "maxconn". Default: as the proxy says, 1000.'),
    'queue-timeout': duration()
      .optional()
      .describe('How long a request waits for a backend with "maxconn". Default: as the proxy says, 5s.'),
    drain: duration(0).prefault('1s').describe('How long a draining backend keeps its bound browsers.'),
    ...externalProxyKeys,
  }).prefault({}),
  ...storeSchemas,
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
  at: duration(0).optional().describe('Time after the start of the faults phase.'),
  after: text(
    'an earlier fault and a delay, such as "kill + 500ms"',
    new RegExp(`^${idPattern}(\\s*\\+\\s*${durationPattern})?$`),
  )
    .transform(written => {
      const [id = '', delay] = written.split('+').map(part => part.trim());
      return { id, delayMs: delay === undefined ? 0 : (parseDuration(delay) ?? 0) };
    })
    .optional()
    .describe(
      'An earlier fault and a delay. The delay begins when that fault has healed, or when it is confirmed if it has no "for".',
    ),
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
    .describe(
      'A count to wait for, in the whole run or since an earlier fault was confirmed, and a delay: "requests.ok >= 7 + 20ms".',
    ),
  do: oneOf('fault', Object.keys(faults)),
  target: text('a target such as backend-1, backend-any, redis, store, proxy->backend-1 or secrets', /\S/).describe(
    'A backend, the proxy or a store server; "store" for the store of the mode; "from->to" for the link between two members; "backends" for all backends; or "secrets" for the key ring of all backends.',
  ),
  for: duration(0).optional().describe('Time from confirmation to healing. Default: until the faults phase ends.'),
};

/** Schemas of all faults, each with its own options. */
const faultShapes = Object.entries(faults).map(([name, entry]) => {
  // The exact type is known only to the fault itself, which parses its options again (`defineFault`).
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

/** Schemas of the parts that are checked against each other. */
export const scenarioParts = {
  /** The parts of `system` that determine its members. */
  targetSystem: z.object({ backends: system.shape.backends, proxy: system.shape.proxy, ...storeSchemas }),
  members,
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

/** Returns the JSON schema for editors: the file that `# yaml-language-server: $schema=` names. */
export function scenarioJsonSchema(): object {
  return { ...z.toJSONSchema(scenarioFile, { target: 'draft-7', io: 'input' }), title: 'Holdfast scenario' };
}

/** Returns the commands of a driver: those of the registry, or those of the user. */
function commandsOf(driver: string | DriverCommands): DriverCommands {
  const commands = typeof driver === 'string' ? drivers[driver] : driver;
  if (commands === undefined) throw new Error(`no driver "${String(driver)}"`);
  return commands;
}

/** Converts `system.members` of a parsed file. */
export function toMembers({ driver, selector, within, 'named-by': namedBy }: z.output<typeof members>): MembersSpec {
  return {
    driver: typeof driver === 'string' ? driver : undefined,
    commands: commandsOf(driver),
    selector,
    namedBy,
    withinMs: within,
  };
}
