import * as z from 'zod';
import { cookieName, map, oneOf, sayExpected, show, text, wholeNumber } from '../values.js';
import { isMap } from '../yaml.js';
import {
  type AnonymousConditions,
  type AnswerConditions,
  attackStepKinds,
  type JourneyMapping,
  type MappedRequest,
  type MappedStep,
  parseJsonPath,
  placeholdersIn,
  plainTextsOf,
  stepKinds,
  textsInJson,
  textsOf,
  typedPlaceholderIn,
} from './mapping.js';
import { bodyPatternProblem, patternProblem } from './page-pattern.js';

/** Schema of `users.journey` in a scenario file: `shop`, or the requests of the user's own app. */

const urlPath = text('a path such as /cart', /^\/[^\s#]*$/);

const jsonPath = z
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

/** Conditions that an answer must meet: `ok` of a step, and `anonymous`. They are plain data; `users/answer-check.ts`
 * checks answers with them. */
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

const okConditions = map('ok', conditionKeys)
  .superRefine((written: AnswerConditions, context) => addProblem(conditionsProblem(written), context))
  .optional()
  .describe('The answer when the step has succeeded: all given conditions must hold. Default status: 200 to 399.');

const noCondition = 'expected at least one of status, redirect-to, body, path and or-redirect-to';

const anonymousConditions = map('anonymous', {
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

const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
const bodyless: readonly string[] = ['GET', 'DELETE'];

const value = z
  .union([z.string(), z.number(), z.boolean()], { error: sayExpected('text, a number, true or false') })
  .transform(String);
const fields = (what: string) => z.record(z.string(), value, { error: sayExpected(`a map of ${what}`) }).optional();

/** Headers that the client of the simulated users sets itself, or that would break the connection. */
const ownHeaders = [
  ...['connection', 'content-length', 'cookie', 'expect', 'host', 'keep-alive', 'te', 'trailer'],
  ...['transfer-encoding', 'upgrade'],
];
const headerName = text('the name of a header', /^[!#$%&'*+.^_`|~\w-]+$/).refine(
  name => !ownHeaders.includes(name.toLowerCase()),
  { error: ({ input }) => `found ${show(input)}, which the simulated users set themselves: remove it` },
);
const headers = z
  .record(
    headerName,
    value.refine(written => !/[\r\n\0]/.test(written), { error: 'expected one line' }),
    {
      error: issue =>
        issue.code === 'invalid_key' ? issue.issues[0]?.message : sayExpected('a map of headers')(issue),
    },
  )
  .optional();

const requestKeys = {
  ...Object.fromEntries(methods.map(method => [method, urlPath.optional()])),
  query: fields('query fields').describe('Appended to the path, encoded.'),
  form: fields('form fields').describe('The body, as a browser sends a form.'),
  json: z
    .unknown()
    .optional()
    .describe('The body, as JSON. A text that is only {id:number} or {id:boolean} is sent as such a value.'),
  headers: headers.describe('{origin} in a value is the address of the app, as a browser sends it.'),
};

const request = (where: string) =>
  map(where, requestKeys).transform((written: Readonly<Record<string, unknown>>, context): MappedRequest => {
    const used = methods.filter(method => written[method] !== undefined);
    const [method = 'GET'] = used;
    const say = (message: string, ...at: string[]) =>
      context.issues.push({ code: 'custom', message, input: written, path: at });
    if (used.length !== 1) say(`found ${used.join(' and ') || 'no method'}, expected one, such as GET: /cart`);
    if (written.form !== undefined && written.json !== undefined) say('found form and json, expected one of the two');
    const body = written.form === undefined ? 'json' : 'form';
    if (bodyless.includes(method) && written[body] !== undefined)
      say(`found a body for ${method}, expected none: use query`, body);
    return { method, path: String(written[method]), ...rest.parse(written) };
  });
const rest = z.object({ query: fields(''), form: fields(''), json: z.unknown().optional(), headers });

/** Returns an error function that stays silent for maps: the messages of their parts say more (`file.ts`). */
const silentForMaps =
  (what: string) =>
  (issue: { readonly input?: unknown }): string =>
    isMap(issue.input) ? '' : sayExpected(what)(issue);

const pattern = (groups: 1 | 2) =>
  z.string({ error: sayExpected('a regular expression') }).superRefine((source, context) => {
    const problem = patternProblem(source, groups);
    if (problem !== undefined) context.addIssue({ code: 'custom', message: `found ${show(source)}: ${problem}` });
  });

/** Builds the schema of a place in an answer: a path, or a map with a path or a regular expression and more keys. */
function place<Shape extends z.ZodRawShape>(where: string, groups: 1 | 2, more: Shape) {
  const isCarried = 'cookie' in more;
  const long = map(where, { path: jsonPath.optional(), regexp: pattern(groups).optional(), ...more }).refine(
    (written: Readonly<Record<string, unknown>>) => {
      const ways = ['path', 'regexp', 'cookie', 'header'].filter(key => written[key] !== undefined);
      return ways.length === 1 || ways.join() === 'regexp,header';
    },
    {
      error: `expected one way to find it: path or regexp${isCarried ? ' or cookie or header, or regexp beside header' : ''}`,
    },
  );
  return z.union([jsonPath.transform(written => ({ path: written })), long], {
    error: silentForMaps('a path such as $.user, or a map with the key path or regexp'),
  });
}

const items = place('items', 2, { quantity: jsonPath.optional() });
const who = place('who', 1, {
  as: text('the name as the app writes it, such as "{user}@example.com"', /^[^{}]*\{user\}[^{}]*$/).optional(),
});
const carried = place('carry', 1, {
  cookie: cookieName.optional(),
  header: text('the name of a header such as location', /^[!#$%&'*+.^_`|~\w-]+$/)
    .transform(name => name.toLowerCase())
    .optional()
    .describe('A header of the answer. A regexp beside it searches this header alone.'),
  from: oneOf('step', stepKinds).optional(),
});

const stepKeys = (name: string) => ({
  before: request(`${name}.before`)
    .optional()
    .describe('A request right before this one. Its answer supplies values for carry.'),
  request: request(`${name}.request`),
  ok: okConditions,
  who: who.optional().describe('Where the answer holds the name of the user.'),
});
const step = (name: string) => map(name, stepKeys(name));

const mapping = map('users.journey', {
  login: map('login', {
    ...stepKeys('login'),
    after: request('login.after')
      .optional()
      .describe('A request right after a login that is done, such as one that makes a cart.'),
  }),
  add: step('add').describe('Adds the item {token} to the session.'),
  read: map('read', { ...stepKeys('read'), items: items.describe('The items of the cart.') }),
  remove: step('remove')
    .optional()
    .describe('Removes the item {token} again. Without this step the plan has no removals.'),
  whoami: step('whoami').optional().describe('Asks for the name of the user. Without this step the plan has none.'),
  logout: step('logout').optional().describe('Ends the session. Without this step the plan has no logouts.'),
  password: step('password')
    .optional()
    .describe('Changes the password to {new-password}. Only "holdfast attack --app" uses it, and a run ignores it.'),
  refresh: step('refresh')
    .optional()
    .describe('Renews the session. Only "holdfast attack --app" uses it, and a run ignores it.'),
  anonymous: anonymousConditions,
  carry: z
    .record(text('a name in lower case such as csrf', /^[a-z][a-z0-9-]{0,39}$/), carried, {
      error: sayExpected('a map of names such as csrf, each with where its value is found'),
    })
    .default({})
    .describe('Values that answers supply, such as a CSRF token. {name} stands for the value in later requests.'),
}).superRefine((written, context) => {
  // Only for a mapping without mistakes so far: no mistake is reported twice.
  if (context.issues.length > 0) return;
  for (const problem of mappingProblems(written))
    context.addIssue({ code: 'custom', message: problem.message, path: [...problem.path] });
});

export const journey = z.union([z.literal('shop'), mapping], {
  error: silentForMaps('the journey "shop", or a map with the keys login, add, read and anonymous'),
});

/** The part `users.journey` of a scenario file for an own app, as plain data. */
export type WrittenJourney = Exclude<z.input<typeof journey>, 'shop'>;

/** The placeholder for the password that an attack chooses. */
const newPassword = 'new-password';
/** The placeholder for the address of the app, in headers. */
const origin = 'origin';

interface MappingProblem {
  readonly path: readonly string[];
  readonly message: string;
}

/** Finds problems between parts of the mapping, which no single value shows. */
function mappingProblems(written: JourneyMapping): MappingProblem[] {
  const steps = [...stepKinds, ...attackStepKinds].flatMap(kind => {
    const mapped = written[kind];
    return mapped === undefined ? [] : [{ kind, mapped }];
  });
  return [
    ...steps.flatMap(({ kind, mapped }) => placeholderProblems(written, kind, mapped)),
    ...tokenProblems(written),
    ...nameProblems(written),
  ];
}

function placeholderProblems(written: JourneyMapping, kind: string, mapped: MappedStep): MappingProblem[] {
  const token = kind === 'add' || kind === 'remove' ? ['token'] : [];
  const password = kind === 'password' ? [newPassword] : [];
  const known = ['user', ...token, ...password, ...Object.keys(written.carry)];
  return (['before', 'request', 'after'] as const).flatMap(part => {
    const request = part === 'after' ? (kind === 'login' ? written.login.after : undefined) : mapped[part];
    const message = request && (findStrange(request, known) ?? findMistyped(request));
    return message === undefined ? [] : [{ path: [kind, part], message }];
  });
}

function findStrange(request: MappedRequest, known: readonly string[]): string | undefined {
  const inHeaders = Object.values(request.headers ?? {}).flatMap(placeholdersIn);
  const elsewhere = [...plainTextsOf(request), ...textsInJson(request.json)].flatMap(placeholdersIn);
  if (elsewhere.includes(origin) && !known.includes(origin)) return `found {${origin}}, expected it only under headers`;
  const strange = [...elsewhere, ...inHeaders.filter(name => name !== origin)].find(name => !known.includes(name));
  return (
    strange &&
    `found {${strange}}, expected one of ${known.map(name => `{${name}}`).join(', ')}: define further ones under carry`
  );
}

/** Finds a placeholder with a type where only text can be sent. */
function findMistyped(request: MappedRequest): string | undefined {
  const plain = [...plainTextsOf(request), ...Object.values(request.headers ?? {})].map(typedPlaceholderIn);
  const inJson = textsInJson(request.json).map(typedPlaceholderIn);
  const found = [...plain, ...inJson.filter(each => !each?.isWhole || each.name === 'token')].find(
    each => each !== undefined,
  );
  if (found === undefined) return undefined;
  const { name, type } = found;
  return name === 'token'
    ? `found {token:${type}}, and an item is always text: expected {token} in a field of text`
    : `found {${name}:${type}}, expected a type only for a whole value of json, as in json: { id: "{${name}:${type}}" }`;
}

/** Finds steps without {token}: a cart whose items cannot be told apart proves nothing. */
function tokenProblems(written: JourneyMapping): MappingProblem[] {
  return (['add', 'remove'] as const).flatMap(kind => {
    const request = written[kind]?.request;
    if (request === undefined || textsOf(request).flatMap(placeholdersIn).includes('token')) return [];
    return [{ path: [kind, 'request'], message: `expected {token} somewhere in it: the item that this user ${kind}s` }];
  });
}

function nameProblems({ login, read, whoami, password, carry }: JourneyMapping): MappingProblem[] {
  const problems: MappingProblem[] = [];
  if (!textsOf(login.request).flatMap(placeholdersIn).includes('user'))
    problems.push({ path: ['login', 'request'], message: 'expected {user} somewhere in it: the user who logs in' });
  if (read.items.regexp !== undefined && read.who === undefined) {
    const message =
      'expected who beside items: a page without items could be an empty cart or no cart at all, and only the name shows which';
    problems.push({ path: ['read'], message });
  }
  if (read.items.quantity !== undefined && !read.items.path?.includes('*'))
    problems.push({ path: ['read', 'items'], message: 'expected quantity only beside a path with [*]' });
  if (password !== undefined && !textsOf(password.request).flatMap(placeholdersIn).includes(newPassword))
    problems.push({ path: ['password', 'request'], message: `expected {${newPassword}} somewhere in it` });
  if (whoami !== undefined && whoami.who === undefined)
    problems.push({ path: ['whoami'], message: 'expected who: this step checks nothing else' });
  for (const own of ['user', 'token', newPassword, origin]) {
    if (Object.hasOwn(carry, own))
      problems.push({
        path: ['carry', own],
        message: `found {${own}}, which is reserved for the simulated user: choose another name`,
      });
  }
  return problems;
}
