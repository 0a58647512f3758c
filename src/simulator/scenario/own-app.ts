import type { z } from 'zod';
import { commandPlaceholders, findUnknownPlaceholder, ownPlaceholders } from '../cluster/own-placeholders.js';
import { duration, map, sayExpected, show, text } from './values.js';
import { field, isMap, type Problem } from './yaml.js';

/** What `system` says of an app of one's own: how it is started, or where it runs already. */

export const ownBackendKeys = {
  command: text('a command such as "node server.js"', /\S/)
    .superRefine((written, context) => reportUnknownPlaceholder(written, commandPlaceholders, context))
    .optional()
    .describe(
      'Starts a backend of your own in place of the toy shop, by sh -c. {port} and {name} stand for its own, {run-dir} for a fresh folder that all copies share.',
    ),
  directory: text('a folder, from that of this file', /\S/)
    .optional()
    .describe('Where the command is run; default: here.'),
  ready: map('system.backends.ready', {
    http: text('a path such as /health', /^\/[^\s#]*$/)
      .default('/')
      .describe('Answers 200 to 299 to anybody once it serves.'),
    within: duration().prefault('10s'),
  }).optional(),
};

/** A whole server answers through `target`: one that is not on this machine may serve other people. */
export const target = text(
  'a loopback address such as http://127.0.0.1:8080; only such are driven',
  /^http:\/\/(127(\.\d{1,3}){3}|localhost|\[::1\])(:\d{1,5})?\/?$/,
)
  .refine(written => URL.canParse(written), {
    error: sayExpected('a loopback address such as http://127.0.0.1:8080'),
    abort: true,
  })
  .transform(written => new URL(written).origin)
  .optional()
  .describe('A system that runs already: nothing is started, and exec alone can break something.');

function reportUnknownPlaceholder(written: string, known: readonly string[], context: z.RefinementCtx): void {
  const strange = findUnknownPlaceholder(written, known);
  if (strange === undefined) return;
  const message = `found {${strange}}, expected one of ${known.map(name => `{${name}}`).join(', ')}`;
  context.addIssue({ code: 'custom', message });
}

/** Finds what no single value shows. `labVariables`: those that the lab sets for a toy shop. */
export function ownAppProblems(file: unknown, labVariables: readonly string[]): Problem[] {
  const system = field(file, 'system');
  const backends = field(system, 'backends');
  if (field(system, 'target') !== undefined) return targetProblems(system);
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

const setByLab = 'which the lab sets itself: take it out, or give it another name';

function targetProblems(system: unknown): Problem[] {
  const others = isMap(system) ? Object.keys(system).filter(key => key !== 'target') : [];
  return others.map(key => ({
    path: ['system', key],
    message: `found ${key} beside target, expected one of the two: a system that runs already is not started here`,
    at: 'key',
  }));
}

export const commandText = text('a command such as "docker kill app-1"', /\S/);
export const commandLimit = duration().prefault('10s');
export const systemTarget = text('the target "system", or none', /\S/).default('system');
