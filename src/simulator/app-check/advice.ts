import type { OperationKind } from '../history/records.js';
import type { AnswerConditions } from '../scenario/journey/answer-conditions.js';
import { missingAt, parseJsonPath } from '../scenario/journey/json-path.js';
import { type JourneyMapping, type MappedRequest, stepOf, type TextPlace } from '../scenario/journey/mapping.js';
import { pageCharactersMax } from '../scenario/journey/page-pattern.js';
import { type AppReply, cartTooLarge, type JourneyRequest, noCart } from '../users/journey.js';
import { type Judgement, wrongBody } from '../users/outcome.js';
import { brokenOff, hiddenFieldIn } from './answer-clues.js';

/** A request and what came back. `request` is absent when there was none to send. */
export interface TriedExchange {
  readonly request?: JourneyRequest;
  readonly reply: AppReply;
}

const appFailed = 'the app itself failed: what it wrote to its standard error says more';

/** What does not fit between a mapping and an app, for people. Pure. */
export interface Advice {
  /** The part of the mapping that does not fit: `['add', 'ok']`. */
  readonly at: readonly string[];
  /** What came, and what was expected. */
  readonly problem: string;
  /** What to look at, or to write instead. */
  readonly hint?: string;
}

export interface Known {
  readonly user: string;
  readonly token: string;
  readonly mapping: JourneyMapping;
  /** What was sent last for this step: the page before it, when that gave nothing to carry. */
  readonly last: TriedExchange | undefined;
  readonly reply: AppReply;
  readonly judged: Judgement;
}

/** Explains an answer that does not fit the journey; undefined when it fits. */
export function adviceOn(kind: OperationKind, known: Known): Advice | undefined {
  const { judged, user, mapping } = known;
  const { outcome, identity, error = '' } = judged;
  if (outcome === 'ok')
    return typeof identity === 'string' && identity !== user ? otherName(kind, identity, user) : undefined;
  const carried = /^no answer gave a \{(.+)\} to carry$/.exec(error)?.[1];
  if (carried !== undefined) return nothingToCarry(carried, known);
  if (!known.reply.complete) return { at: [kind, 'request'], ...brokenOff(known.reply) };
  if (identity === null) return adviceOnAnonymous(kind, known);
  if (error === 'the answer names no user')
    return { at: [kind, 'who'], ...notFound(stepOf(mapping, kind)?.who, user, known) };
  if (error === cartTooLarge) return { at: ['read', 'items'], problem: error, hint: 'is quantity a number of items?' };
  if (error === noCart) return { at: ['read', 'items'], ...notFound(mapping.read.items, undefined, known) };
  return wrongAnswer(kind, known);
}

/** Explains an answer that `anonymous` does not describe, to a request without a login. */
export function anonymousAdvice(reply: AppReply): Advice {
  const at = ['anonymous'];
  if (!reply.complete) return { at: ['read', 'request'], ...brokenOff(reply) };
  const problem = `a user who is not logged in was answered with ${headOf(reply)}, which is not what anonymous says`;
  const place = locationOf(reply);
  if (place !== undefined)
    return { at, problem, hint: `if that is the login page: anonymous: { redirect-to: ${place} }` };
  if (reply.status === 404 || reply.status === 405)
    return { at: ['read', 'request'], problem, hint: 'is the path of read right?' };
  if ((reply.status ?? 0) >= 500) return { at: ['read', 'request'], problem, hint: appFailed };
  if ((reply.status ?? 0) >= 400) return { at, problem, hint: `anonymous: { status: ${reply.status} }` };
  const hint = `this answer cannot be told from an empty cart by its status: name what only it has, such as anonymous: ${onlyThere(reply)}`;
  return { at, problem, hint };
}

/** Proposes a condition for `anonymous` from an answer that has a good status: it is to be looked at by the reader. */
function onlyThere({ body }: AppReply): string {
  const json = jsonIn(body);
  if (isMap(json)) {
    const found = Object.entries(json).find(([name, value]) => value === null || /^errors?$/.test(name));
    const [name = 'user', value = null] = found ?? [];
    const place = /^[A-Za-z_]\w*$/.test(name) ? `$.${name}` : `'$["${name}"]'`;
    return value === null ? `{ path: ${place}, absent: true }` : `{ path: ${place} }`;
  }
  const words = /(?:please )?(?:log|sign)[ -]?in\b/i.exec(body)?.[0] ?? '<title>Welcome</title>';
  return `{ body: /${words.replaceAll('/', '\\/')}/ }`;
}

function jsonIn(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Explains a cart that was read and lacks the item that was added, or still holds the one that was removed. */
export function itemAdvice({ judged, token, mapping, reply }: Known, wanted: boolean): Advice | undefined {
  const has = judged.items?.includes(token) ?? false;
  if (has === wanted) return undefined;
  if (has) return { at: ['remove', 'request'], problem: `the item ${token} is still there after its removal` };
  const others = [...new Set(judged.items)].slice(0, 3);
  const found = others.length === 0 ? 'no item' : `other items (${others.join(', ')})`;
  const around = contextOf(reply.body, token);
  const hint =
    around === undefined
      ? 'the answer does not hold it anywhere: does add take it from this field, and does read show it as it was sent?'
      : `it stands in the answer, here: ${around}`;
  return {
    at: around === undefined ? ['add', 'request'] : ['read', 'items'],
    problem: `${placeOf(mapping.read.items)} finds ${found}, and not ${token}, which was added`,
    hint,
  };
}

function otherName(kind: OperationKind, found: string, user: string): Advice {
  const problem = `who finds the name "${found}", expected "${user}", who is logged in`;
  const hint = found.includes(user)
    ? `write it as the app does: as: "${found.replace(user, '{user}')}"`
    : 'it must be what the user logged in with, or hold it: name another field, or leave who out (mixed-up users are then not seen)';
  return { at: [kind, 'who'], problem, hint };
}

function nothingToCarry(name: string, { mapping, last }: Known): Advice {
  const place = mapping.carry[name];
  const by = place?.cookie === undefined ? placeOf(place ?? {}) : `the cookie ${place.cookie}`;
  const page =
    last?.request === undefined
      ? 'no page was asked for before it: name one under before'
      : `${last.request.method} ${last.request.path} did not give it`;
  const field = hiddenFieldIn(last?.reply.body ?? '');
  return {
    at: ['carry', name],
    problem: `{${name}} was found nowhere by ${by}; ${page}`,
    ...(field === undefined ? {} : { hint: `that page has ${field}` }),
  };
}

function adviceOnAnonymous(kind: OperationKind, known: Known): Advice {
  const { reply } = known;
  const problem = `answered as without a login: ${headOf(reply)}`;
  if (kind !== 'login') {
    return {
      at: [kind, 'request'],
      problem,
      hint: 'the login fits, but what it gave was not taken along: a cookie is kept by itself, a token of an answer is named under carry and sent under headers. Or the app answers a wrong password like this login: then name under login.ok what only a good one has',
    };
  }
  return { at: ['login', 'request'], problem, hint: passwordHint(known) };
}

function passwordHint({ mapping, user }: Known): string {
  const { form, json } = mapping.login.request;
  const sent = form ?? json;
  const fields = typeof sent === 'object' && sent !== null ? Object.keys(sent).join(', ') : 'nothing';
  return `does the app know the user ${user} with this password? It was sent: ${fields}. Other names: users.names`;
}

/** Whether the answer to a login looks like one to a wrong password. */
function refusesPassword({ reply, judged }: Known): boolean {
  const { status = 0, body } = reply;
  const place = locationOf(reply);
  if (place !== undefined) return isLoginPlace(place);
  if (status === 401 || judged.error?.endsWith(wrongBody)) return true;
  if (status === 403) return !/csrf|xsrf/i.test(body);
  if (status < 400) return /type=["']?password/i.test(body);
  return status < 500 && /password|credential|unknown user|user not found|invalid (?:login|user)/i.test(body);
}

function isLoginPlace(place: string): boolean {
  return /log-?in|sign-?in|auth|session/i.test(place);
}

function wrongAnswer(kind: OperationKind, known: Known): Advice {
  const { mapping, reply, judged } = known;
  const step = kind === 'replay' ? 'read' : kind;
  const { status = 0, body } = reply;
  const { ok } = stepOf(mapping, kind) ?? {};
  const problem = `${headOf(reply)}, expected ${okInWords(ok)}`;
  if (kind === 'login' && refusesPassword(known))
    return { at: ['login', 'request'], problem, hint: passwordHint(known) };
  if (judged.error?.endsWith(wrongBody))
    return { at: [step, 'ok'], problem, hint: 'the status fits and the body does not: what came back says why' };
  const place = locationOf(reply);
  if (place !== undefined) return redirected(step, problem, status, place);
  const request = stepOf(mapping, kind)?.request;
  if (status === 404 || status === 405)
    return {
      at: [step, 'request'],
      problem,
      hint: `the app has no ${request?.method} ${request?.path}: is the path right, and the method?`,
    };
  if (status === 403 || status === 419 || /csrf|xsrf/i.test(body))
    return {
      at: [step, 'request'],
      problem,
      hint: 'is there a hidden field (CSRF) in its form? Name it under carry, ask for the page under before, and send it along',
    };
  if (status === 401)
    return {
      at: ['anonymous'],
      problem,
      hint: `if that is how it answers without a login: anonymous: { status: ${status} }`,
    };
  if (status >= 400 && status < 500) return { at: [step, 'request'], problem, hint: bodyHint(request) };
  if (status >= 500) return { at: [step, 'request'], problem, hint: appFailed };
  return { at: [step, 'ok'], problem, hint: `if that is how it says that it is done: ok: { status: ${status} }` };
}

function redirected(step: string, problem: string, status: number, place: string): Advice {
  if (isLoginPlace(place))
    return {
      at: ['anonymous'],
      problem,
      hint: `the answer is a redirect to ${place}: is it "anonymous"? Then: anonymous: { redirect-to: ${place} }`,
    };
  return {
    at: [step, 'ok'],
    problem,
    hint: `if that is how it says that it is done: ok: { status: ${status}, redirect-to: ${place} }`,
  };
}

function bodyHint(request: MappedRequest | undefined): string {
  if (request?.json !== undefined)
    return 'it was sent as JSON: does the app want a form (form: instead of json:), or other names of fields?';
  if (request?.form !== undefined)
    return 'it was sent as a form: does the app want JSON (json: instead of form:), or other names of fields?';
  return 'it was sent without a body: does the app want json: or form:?';
}

/** `wanted`: a text that should stand where the place leads. */
function notFound(
  place: TextPlace | undefined,
  wanted: string | undefined,
  { reply, token }: Known,
): Omit<Advice, 'at'> {
  const problem = `${placeOf(place ?? {})} leads to nothing in the answer, ${headOf(reply)}`;
  const packed = reply.headers['content-encoding'];
  if (packed !== undefined && packed !== 'identity')
    return {
      problem,
      hint: `it came compressed (${packed}), though no request asked for that: switch it off in the app`,
    };
  const around = contextOf(reply.body, wanted ?? token);
  if (reply.body.length > pageCharactersMax && place?.regexp !== undefined)
    return {
      problem,
      hint: `the page has ${reply.body.length} characters, and only ${pageCharactersMax} are searched`,
    };
  const missing = place?.path === undefined ? undefined : missingInJson(reply.body, place.path);
  const hints = [missing, around === undefined ? undefined : `what is wanted stands here: ${around}`];
  const hint = hints.filter(each => each !== undefined).join('; ');
  return { problem, ...(hint === '' ? {} : { hint }) };
}

function missingInJson(body: string, path: string): string {
  try {
    return missingAt(JSON.parse(body), parseJsonPath(path) ?? []) ?? 'it leads to values that are no items';
  } catch {
    return 'the answer is no JSON, and a path looks into JSON: a page is read by regexp';
  }
}

function placeOf({ path, regexp }: TextPlace): string {
  return path ?? (regexp === undefined ? 'nothing' : `the pattern ${regexp}`);
}

function okInWords({ status, 'redirect-to': target, body, path, absent, equals }: AnswerConditions = {}): string {
  const head = status === undefined ? 'a status from 200 to 399' : `status ${status.join(' or ')}`;
  const value = equals === undefined ? 'a value' : JSON.stringify(equals);
  return [
    target === undefined ? head : `${head} to ${target}`,
    ...(body === undefined ? [] : [`a body that matches ${body}`]),
    ...(path === undefined ? [] : [`${absent ? 'nothing' : value} at ${path}`]),
  ].join(' and ');
}

/** `status 302 to /login`, `status 200 (text/html)`. */
export function headOf({ status, headers }: AppReply): string {
  const [type] = String(headers['content-type'] ?? '').split(';');
  const more = typeof headers.location === 'string' ? ` to ${headers.location}` : type === '' ? '' : ` (${type})`;
  return `status ${status}${more}`;
}

function locationOf({ status = 0, headers }: AppReply): string | undefined {
  const { location } = headers;
  if (status < 300 || status >= 400 || typeof location !== 'string' || !URL.canParse(location, 'http://app/'))
    return undefined;
  return new URL(location, 'http://app/').pathname;
}

const contextCharacters = 40;

function contextOf(body: string, text: string): string | undefined {
  const at = body.indexOf(text);
  if (at === -1) return undefined;
  return body.slice(Math.max(0, at - contextCharacters), at + text.length + contextCharacters).replaceAll(/\s+/g, ' ');
}
