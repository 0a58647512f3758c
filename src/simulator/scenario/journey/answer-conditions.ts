import * as z from 'zod';
import { map, sayExpected, show, text, wholeNumber } from '../values.js';
import { parseJsonPath } from './json-path.js';
import { bodyPatternProblem } from './page-pattern.js';

/** Conditions that an answer must meet: `ok` of a step, and `anonymous`. They are plain data; `users/answer-check.ts`
 * checks answers with them. */

/** A value of JSON that is neither a list nor a map. */
export type JsonScalar = string | number | boolean | null;

/** Conditions on an answer. All given parts must hold. */
export interface AnswerConditions {
  /** The allowed statuses. */
  readonly status?: readonly number[] | undefined;
  /** The path of the Location header of a redirect. */
  readonly 'redirect-to'?: string | undefined;
  /** A regular expression between slashes that matches somewhere in the body. */
  readonly body?: string | undefined;
  /** A path into the JSON of the body. Without `absent` and `equals`, its value must exist and not be null. */
  readonly path?: string | undefined;
  /** The value at `path` must be missing or null. */
  readonly absent?: true | undefined;
  /** Every value at `path` must equal this one. */
  readonly equals?: JsonScalar | undefined;
}

/** Answer of the app to a request without a login. */
export interface AnonymousConditions extends AnswerConditions {
  /** The alternative to all other conditions: a redirect to this path alone is enough. */
  readonly 'or-redirect-to'?: string | undefined;
}

export const urlPath = text('a path such as /cart', /^\/[^\s#]*$/);

export const jsonPath = z
  .string({ error: sayExpected('a path such as $.items[*].sku') })
  .refine(written => parseJsonPath(written) !== undefined, {
    error: sayExpected('a path such as $.items[*].sku: of $, .name, ["name"], [0] and [*]'),
  });

const status = z
  .union([wholeNumber(200, 599), z.array(wholeNumber(200, 599)).min(1)], {
    error: sayExpected('a status from 200 to 599, or a list of them'),
  })
  .transform(one => [one].flat());

const body = z
  .string({ error: sayExpected('a regular expression such as /log in/i') })
  .superRefine((written, context) => {
    const problem = bodyPatternProblem(written);
    if (problem !== undefined) context.addIssue({ code: 'custom', message: `found ${show(written)}: ${problem}` });
  });

const conditionKeys = {
  status: status.optional(),
  'redirect-to': urlPath.optional().describe('The path of the Location header. Redirects are not followed.'),
  body: body.optional().describe('A regular expression such as /log in/i that matches somewhere in the body.'),
  path: jsonPath
    .optional()
    .describe('A place in the JSON of the body. Without absent and equals, its value must exist and not be null.'),
  absent: z
    .literal(true, { error: sayExpected('true') })
    .optional()
    .describe('The value at path must be missing or null.'),
  equals: z
    .union([z.string(), z.number(), z.boolean(), z.null()], {
      error: sayExpected('text, a number, true, false or null'),
    })
    .optional()
    .describe('The value at path must be this one.'),
};

/** Finds conditions that do not fit each other. */
function conditionsProblem({ path, absent, equals }: AnswerConditions): string | undefined {
  if (absent !== undefined && equals !== undefined) return 'found absent and equals, expected one of the two';
  const stray = absent !== undefined ? 'absent' : equals !== undefined ? 'equals' : undefined;
  return stray !== undefined && path === undefined ? `found ${stray} without path, expected both` : undefined;
}

function addProblem(problem: string | undefined, context: z.RefinementCtx): void {
  if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
}

export const okConditions = map('ok', conditionKeys)
  .superRefine((written: AnswerConditions, context) => addProblem(conditionsProblem(written), context))
  .optional()
  .describe('The answer when the step has succeeded: all given conditions must hold. Default status: 200 to 399.');

const noCondition = 'expected at least one of status, redirect-to, body, path and or-redirect-to';

export const anonymousConditions = map('anonymous', {
  ...conditionKeys,
  'or-redirect-to': urlPath.optional().describe('An alternative to all other conditions: a redirect to this path.'),
})
  .superRefine((written: AnonymousConditions, context) => {
    const isEmpty = Object.values(written).every(value => value === undefined);
    addProblem(isEmpty ? noCondition : conditionsProblem(written), context);
  })
  .describe(
    'The answer of the app without a login: all given conditions must hold, or the redirect under or-redirect-to.',
  );
