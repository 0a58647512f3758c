import type * as z from 'zod';
import { commandPlaceholders, findUnknownPlaceholder, ownPlaceholders } from '../cluster/own-backend.js';
import { duration, map, sayExpected, show, text } from './values.js';
import { field, isMap, type Problem } from './yaml.js';

/** Schema of `system` for the user's own app: how to start it, or the address at which it already runs. */

export const ownBackendKeys = {
  command: text('a command such as "node server.js"', /\S/)
    .superRefine((written, context) => reportUnknownPlaceholder(written, commandPlaceholders, context))
    .optional()
    .describe(
      'Starts your own backend instead of the toy shop, with sh -c. {port} and {name} are those of the backend. {run-dir} is a new folder that all backends share.',
    ),
  directory: text('a folder, relative to this file', /\S/)
    .optional()
    .describe('Where the command runs. Default: the folder of this file.'),
  ready: map('system.backends.ready', {
    http: text('a path such as /health', /^\/[^\s#]*$/)
      .default('/')
      .describe('A path that answers 200 to 299 without a login once the backend serves.'),
    within: duration().prefault('10s'),
  }).optional(),
};

/** Schema of `system.target`. Only loopback addresses are allowed: a server elsewhere could serve other people. */
export const target = text(
  'a loopback address such as http://127.0.0.1:8080; no other system is tested',
  /^http:\/\/(127(\.\d{1,3}){3}|localhost|\[::1\])(:\d{1,5})?\/?$/,
)
  .refine(written => URL.canParse(written), {
    error: sayExpected('a loopback address such as http://127.0.0.1:8080'),
    abort: true,
  })
  .transform(written => new URL(written).origin)
  .optional()
  .describe(
    'The address of a system that already runs. Nothing is started. Faults strike its members if "members" says how; otherwise only exec can break something.',
  );

function reportUnknownPlaceholder(written: string, known: readonly string[], context: z.RefinementCtx): void {
  const strange = findUnknownPlaceholder(written, known);
  if (strange === undefined) return;
  const message = `found {${strange}}, expected one of ${known.map(name => `{${name}}`).join(', ')}`;
  context.addIssue({ code: 'custom', message });
}

/** Finds problems between parts of `system`. `labVariables`: the variables that the lab sets for a toy shop. */
export function ownAppProblems(file: unknown, labVariables: readonly string[]): Problem[] {
  const system = field(file, 'system');
  const backends = field(system, 'backends');
  if (field(system, 'target') !== undefined) return targetProblems(system);
  if (field(system, 'members') !== undefined)
    return [{ path: ['system', 'members'], message: 'found members without a target, expected both', at: 'key' }];
  const env = field(backends, 'env');
  const variables = isMap(env) ? Object.entries(env) : [];
  const path = (name: string) => ['system', 'backends', 'env', name];
  if (field(backends, 'command') === undefined) {
    const strays = ['directory', 'ready'].filter(key => field(backends, key) !== undefined);
    return [
      ...strays.map(
        (key): Problem => ({ path: ['system', 'backends', key], message: `found ${key} without a command`, at: 'key' }),
      ),
      ...variables
        .filter(([name]) => labVariables.includes(name))
        .map(([name]): Problem => ({ path: path(name), message: `found ${show(name)}, ${setByLab}`, at: 'key' })),
    ];
  }
  return variables.flatMap(([name, value]) => {
    const strange = typeof value === 'string' ? findUnknownPlaceholder(value, ownPlaceholders) : undefined;
    if (strange === undefined) return [];
    const known = ownPlaceholders.map(each => `{${each}}`).join(', ');
    return [{ path: path(name), message: `found {${strange}}, expected one of ${known}` }];
  });
}

const setByLab = 'which the lab sets itself: remove it, or choose another name';

function targetProblems(system: unknown): Problem[] {
  const others = isMap(system) ? Object.keys(system).filter(key => key !== 'target' && key !== 'members') : [];
  return others.map(key => ({
    path: ['system', key],
    message: `found ${key} beside target, expected one of the two: the lab does not start a system under target`,
    at: 'key',
  }));
}

export const commandText = text('a command such as "docker kill app-1"', /\S/);
export const commandLimit = duration().prefault('10s');
export const systemTarget = text('the target "system", or none', /\S/).default('system');
