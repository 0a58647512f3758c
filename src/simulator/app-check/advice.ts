import { parseJson } from '../../shared/text.js';
import type { OperationKind } from '../history/records.js';
import {
  type AnswerConditions,
  type CarriedPlace,
  explainMissingAt,
  isPlaceholder,
  type JourneyMapping,
  type MappedRequest,
  parseJsonPath,
  placeholdersIn,
  stepOf,
  type TextPlace,
  textsInJson,
} from '../scenario/journey/mapping.js';
import { pageCharactersMax } from '../scenario/journey/page-pattern.js';
import { afterFailed } from '../users/browser.js';
import { type AppReply, cartTooLarge, type JourneyRequest, noCart } from '../users/journey.js';
import { type Judgement, wrongBody } from '../users/outcome.js';
import { describeIncomplete, findHiddenField } from './answer-clues.js';

/** A request and its reply. `request` is absent when no request could be sent. */
export interface TriedExchange {
  readonly request?: JourneyRequest;
  readonly reply: AppReply;
}

const appFailed = 'the app itself failed: look at what it wrote to its standard error';

/** Describes, for people, how a mapping does not fit an app. */
export interface Advice {
  /** The part of the mapping that does not fit: `['add', 'ok']`. */
  readonly at: readonly string[];
  /** The answer of the app, and what was expected. */
  readonly problem: string;
  /** A proposal what to check, or what to write instead. */
  readonly hint?: string;
}

export interface Known {
  readonly user: string;
  readonly token: string;
  readonly mapping: JourneyMapping;
  /** The last exchange of this step. It is the page before the step if that page gave no value to carry. */
  readonly last: TriedExchange | undefined;
  /** The exchanges of the steps so far. */
  readonly asks: ReadonlyMap<OperationKind, readonly TriedExchange[]>;
  readonly reply: AppReply;
  readonly judged: Judgement;
}

/** Explains an answer that does not fit the journey. Undefined when it fits. Pure. */
export function explainAnswer(kind: OperationKind, known: Known): Advice | undefined {
  const { judged, user, mapping } = known;
  const { outcome, identity, error = '' } = judged;
  if (outcome === 'ok')
    return typeof identity === 'string' && identity !== user ? explainOtherName(kind, identity, user) : undefined;
  const carried = /^no answer gave a \{(.+)\} to carry$/.exec(error)?.[1];
  if (carried !== undefined) return explainMissingValue(carried, known);
  if (error.startsWith(afterFailed)) return explainAfter(kind, known);
  if (!known.reply.complete) return { at: [kind, 'request'], ...describeIncomplete(known.reply) };
  if (identity === null) return explainAnonymousStep(kind, known);
  if (error === 'the answer names no user')
    return { at: [kind, 'who'], ...explainNoMatch(stepOf(mapping, kind)?.who, user, known) };
  if (error === cartTooLarge) return { at: ['read', 'items'], problem: error, hint: 'is quantity a number of items?' };
  if (error === noCart) return { at: ['read', 'items'], ...explainNoMatch(mapping.read.items, undefined, known) };
  return explainWrongAnswer(kind, known);
}

/** Explains an answer to a request without a login that does not match `anonymous`. Pure. */
export function explainAnonymous(reply: AppReply): Advice {
  const at = ['anonymous'];
  if (!reply.complete) return { at: ['read', 'request'], ...describeIncomplete(reply) };
  const problem = `a user who is not logged in was answered with ${describeHead(reply)}, which is not what anonymous says`;
  const place = locationOf(reply);
  if (place !== undefined)
    return { at, problem, hint: `if that is the login page: anonymous: { redirect-to: ${place} }` };
  if (reply.status === 404 || reply.status === 405)
    return { at: ['read', 'request'], problem, hint: 'is the path of read right?' };
  if ((reply.status ?? 0) >= 500) return { at: ['read', 'request'], problem, hint: appFailed };
  if ((reply.status ?? 0) >= 400) return { at, problem, hint: `anonymous: { status: ${reply.status} }` };
  const hint = `the status alone cannot tell this answer from an empty cart: name something that only this answer has, such as anonymous: ${proposeCondition(reply)}`;
  return { at, problem, hint };
}

/** Proposes a condition for `anonymous` from an answer with a good status. The reader must check it. */
function proposeCondition({ body }: AppReply): string {
  const json = parseJson(body);
  if (isMap(json)) {
    const found = Object.entries(json).find(([name, value]) => value === null || /^errors?$/.test(name));
    const [name = 'user', value = null] = found ?? [];
    const place = /^[A-Za-z_]\w*$/.test(name) ? `$.${name}` : `'$["${name}"]'`;
    return value === null ? `{ path: ${place}, absent: true }` : `{ path: ${place} }`;
  }
  const words = /(?:please )?(?:log|sign)[ -]?in\b/i.exec(body)?.[0] ?? '<title>Welcome</title>';
  return `{ body: /${words.replaceAll('/', '\\/')}/ }`;
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Explains a cart that lacks an added item, or that still holds the removed one. Undefined when the cart is right. */
export function explainItems(
  { judged, token: removed, mapping, reply }: Known,
  wanted: readonly string[],
): Advice | undefined {
  const items = judged.items ?? [];
  if (wanted.length === 0 && items.includes(removed))
    return { at: ['remove', 'request'], problem: `the item ${removed} is still there after its removal` };
  const missing = wanted.find(token => !items.includes(token));
  if (missing === undefined) return undefined;
  const others = [...new Set(items)].slice(0, 3);
  const found = others.length === 0 ? 'no item' : `other items (${others.join(', ')})`;
  const problem = `${describePlace(mapping.read.items)} finds ${found}, and not ${missing}, which was added`;
  const around = excerptAround(reply.body, missing);
  if (around === undefined) {
    const hint = 'does add send the item in the right field, and does read show it unchanged?';
    return { at: ['add', 'request'], problem, hint: `the answer does not contain it: ${hint}` };
  }
  const all = wanted.length === 1 ? '' : '. items must find each item by itself, whatever its place in the list';
  return { at: ['read', 'items'], problem, hint: `the answer contains it here: ${around}${all}` };
}

function explainOtherName(kind: OperationKind, found: string, user: string): Advice {
  const problem = `who finds the name "${found}", expected "${user}", who is logged in`;
  const hint = found.includes(user)
    ? `write it as the app does: as: "${found.replace(user, '{user}')}"`
    : 'the value must be or contain the login name: name another field, or leave out who (mixed-up users then go unnoticed)';
  return { at: [kind, 'who'], problem, hint };
}

/** Explains that the request after a step has failed. */
function explainAfter(kind: OperationKind, { judged, last, mapping }: Known): Advice {
  const hint = hintAtError(last?.reply.status ?? 0, mapping.login.after);
  return { at: [kind, 'after'], problem: judged.error ?? afterFailed, ...(hint === undefined ? {} : { hint }) };
}

function explainMissingValue(name: string, { mapping, last, asks }: Known): Advice {
  const place = mapping.carry[name];
  const by = place?.cookie === undefined ? describePlace(place ?? {}) : `the cookie ${place.cookie}`;
  const { header, from } = place ?? {};
  const answers = from === undefined ? [last ?? []].flat() : (asks.get(from) ?? []);
  const page =
    from !== undefined
      ? `no answer of ${from} gave it`
      : last?.request === undefined
        ? 'no page was asked for before it: name one under before'
        : `${last.request.method} ${last.request.path} did not give it`;
  const field = findHiddenField(last?.reply.body ?? '');
  const headers = new Set(answers.flatMap(({ reply }) => Object.keys(reply.headers)));
  const seen = headers.size === 0 ? undefined : `the headers of those answers: ${[...headers].join(', ')}`;
  const hint = header !== undefined ? seen : field && `that page has ${field}`;
  return {
    at: ['carry', name],
    problem: `{${name}} was found nowhere by ${by}; ${page}`,
    ...(hint === undefined ? {} : { hint }),
  };
}

function explainAnonymousStep(kind: OperationKind, known: Known): Advice {
  const { reply } = known;
  const problem = `answered as without a login: ${describeHead(reply)}`;
  if (kind !== 'login') {
    return {
      at: [kind, 'request'],
      problem,
      hint: 'the login fits, but this request did not carry its session: cookies are kept by themselves, and a token must be named under carry and sent under headers. If the app answers a wrong password in the same way, name under login.ok what only a good login has',
    };
  }
  return { at: ['login', 'request'], problem, hint: hintAtPassword(known) };
}

function hintAtPassword({ mapping, user }: Known): string {
  const { form, json } = mapping.login.request;
  const sent = form ?? json;
  const fields = typeof sent === 'object' && sent !== null ? Object.keys(sent).join(', ') : 'nothing';
  return `does the app know the user ${user} with this password? It was sent: ${fields}. Other names: users.names`;
}

/** Whether the answer to a login looks like the answer to a wrong password. */
function refusesPassword({ reply, judged }: Known): boolean {
  const { status = 0, body } = reply;
  const place = locationOf(reply);
  if (place !== undefined) return isLoginPlace(place);
  if (status === 401 || judged.error?.endsWith(wrongBody)) return true;
  if (status === 403) return !/csrf|xsrf|origin|referer|cross-?\s?site/i.test(body);
  if (status < 400) return /type=["']?password/i.test(body);
  return status < 500 && /password|credential|unknown user|user not found|invalid (?:login|user)/i.test(body);
}

function isLoginPlace(place: string): boolean {
  return /log-?in|sign-?in|auth|session/i.test(place);
}

const hintAtOrigin =
  'Or does the app check where a write comes from? Then send: headers: { origin: "{origin}" }, or referer: "{origin}/", or sec-fetch-site: same-origin';
const hintAtRefusal = `is there a hidden field (CSRF) in its form? Name it under carry, name its page under before, and send it with the request. ${hintAtOrigin}`;

function explainWrongAnswer(kind: OperationKind, known: Known): Advice {
  const { mapping, reply, judged } = known;
  const step = kind === 'replay' ? 'read' : kind;
  const { status = 0, body } = reply;
  const { ok } = stepOf(mapping, kind) ?? {};
  const problem = `${describeHead(reply)}, expected ${describeOk(ok)}`;
  if (kind === 'login' && refusesPassword(known))
    return {
      at: ['login', 'request'],
      problem,
      hint: `${hintAtPassword(known)}${status === 403 ? `. ${hintAtOrigin}` : ''}`,
    };
  if (judged.error?.endsWith(wrongBody))
    return { at: [step, 'ok'], problem, hint: 'the status fits, but the body does not: look at the answer' };
  const place = locationOf(reply);
  if (place !== undefined) return explainRedirect(step, problem, status, place);
  const request = stepOf(mapping, kind)?.request;
  if (status === 404 || status === 405)
    return {
      at: [step, 'request'],
      problem,
      hint: `the app has no ${request?.method} ${request?.path}: is the path right, and the method?`,
    };
  if (status === 403 || status === 419 || /csrf|xsrf/i.test(body))
    return { at: [step, 'request'], problem, hint: hintAtRefusal };
  if (status === 401)
    return {
      at: ['anonymous'],
      problem,
      hint: `if the app answers so without a login: anonymous: { status: ${status} }`,
    };
  const hint = hintAtError(status, request);
  if (hint !== undefined) return { at: [step, 'request'], problem, hint };
  return { at: [step, 'ok'], problem, hint: `if this answer means success: ok: { status: ${status} }` };
}

/** Returns what to try when a request is answered with an error; undefined for another status. */
function hintAtError(status: number, request: MappedRequest | undefined): string | undefined {
  if (status >= 500) return appFailed;
  if (status === 403) return hintAtRefusal;
  return status >= 400 ? hintAtBody(request) : undefined;
}

function explainRedirect(step: string, problem: string, status: number, place: string): Advice {
  if (isLoginPlace(place))
    return {
      at: ['anonymous'],
      problem,
      hint: `the answer is a redirect to ${place}: is it "anonymous"? Then: anonymous: { redirect-to: ${place} }`,
    };
  return {
    at: [step, 'ok'],
    problem,
    hint: `if this answer means success: ok: { status: ${status}, redirect-to: ${place} }`,
  };
}

function hintAtBody(request: MappedRequest | undefined): string {
  if (request?.json !== undefined)
    return `it was sent as JSON: does the app want a form (form: instead of json:), or other field names?${hintAtNumber(request)}`;
  if (request?.form !== undefined)
    return 'it was sent as a form: does the app want JSON (json: instead of form:), or other field names?';
  return 'it was sent without a body: does the app want json: or form:?';
}

/** Says how a number is sent, if the request sends a value that could be one. */
function hintAtNumber({ json }: MappedRequest): string {
  const own = ['user', 'token'];
  const name = textsInJson(json)
    .flatMap(text => (isPlaceholder(text) ? placeholdersIn(text) : []))
    .find(each => !own.includes(each));
  return name === undefined ? '' : ` If it wants a number: "{${name}:number}"`;
}

/** Explains a path or pattern that matches nothing. `wanted` is a text that it should find. */
function explainNoMatch(
  place: TextPlace | undefined,
  wanted: string | undefined,
  { reply, token }: Known,
): Omit<Advice, 'at'> {
  const problem = `${describePlace(place ?? {})} leads to nothing in the answer, ${describeHead(reply)}`;
  const packed = reply.headers['content-encoding'];
  if (packed !== undefined && packed !== 'identity')
    return {
      problem,
      hint: `it came compressed (${packed}), though no request asked for that: switch it off in the app`,
    };
  const around = excerptAround(reply.body, wanted ?? token);
  if (reply.body.length > pageCharactersMax && place?.regexp !== undefined)
    return {
      problem,
      hint: `the page has ${reply.body.length} characters, and only ${pageCharactersMax} are searched`,
    };
  const missing = place?.path === undefined ? undefined : describeMissing(reply.body, place.path);
  const hints = [missing, around === undefined ? undefined : `the expected value is here: ${around}`];
  const hint = hints.filter(each => each !== undefined).join('; ');
  return { problem, ...(hint === '' ? {} : { hint }) };
}

function describeMissing(body: string, path: string): string {
  try {
    return explainMissingAt(JSON.parse(body), parseJsonPath(path) ?? []) ?? 'it leads to values that are not items';
  } catch {
    return 'the answer is not JSON, and a path reads only JSON: use regexp for a page';
  }
}

function describePlace({ path, regexp, header }: CarriedPlace): string {
  if (header !== undefined) return `the header ${header}${regexp === undefined ? '' : ` and the pattern ${regexp}`}`;
  return path ?? (regexp === undefined ? 'nothing' : `the pattern ${regexp}`);
}

function describeOk({ status, 'redirect-to': target, body, path, absent, equals }: AnswerConditions = {}): string {
  const head = status === undefined ? 'a status from 200 to 399' : `status ${status.join(' or ')}`;
  const value = equals === undefined ? 'a value' : JSON.stringify(equals);
  return [
    target === undefined ? head : `${head} to ${target}`,
    ...(body === undefined ? [] : [`a body that matches ${body}`]),
    ...(path === undefined ? [] : [`${absent ? 'nothing' : value} at ${path}`]),
  ].join(' and ');
}

/** Describes the head of an answer: `status 302 to /login`, `status 200 (text/html)`. */
export function describeHead({ status, headers }: AppReply): string {
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

function excerptAround(body: string, text: string): string | undefined {
  const at = body.indexOf(text);
  if (at === -1) return undefined;
  return body.slice(Math.max(0, at - contextCharacters), at + text.length + contextCharacters).replaceAll(/\s+/g, ' ');
}
