import { parseJson } from '../../shared/text.js';
import {
  type AnonymousConditions,
  type AnswerConditions,
  parseJsonPath,
  valuesAt,
} from '../scenario/journey/mapping.js';
import { compilePattern, matchesSomewhere } from '../scenario/journey/page-pattern.js';
import type { AppReply } from './journey.js';

/** The body of an answer, as text and as JSON. */
export interface ParsedBody {
  readonly text: string;
  /** Undefined when the body is not JSON. */
  readonly json: unknown;
}

const bodies = new WeakMap<AppReply, ParsedBody>();

/** Returns the body of an answer. JSON is parsed once, when it is first read, for all conditions. */
export function bodyOf(reply: AppReply): ParsedBody {
  const known = bodies.get(reply);
  if (known !== undefined) return known;
  let parsed: { readonly json: unknown } | undefined;
  const body: ParsedBody = {
    text: reply.body,
    get json() {
      parsed ??= { json: parseJson(reply.body) };
      return parsed.json;
    },
  };
  bodies.set(reply, body);
  return body;
}

/** Checks answers against the conditions of a scenario. Head and body are separate, since each has its own error
 * message. */
export interface AnswerCheck {
  hasHead(reply: AppReply): boolean;
  hasBody(reply: AppReply): boolean;
}

/** Makes the check for `ok`. Without a status it accepts 200 to 399. */
export function makeOkCheck(conditions: AnswerConditions = {}): AnswerCheck {
  const hasBody = makeBodyCheck(conditions);
  const isDone =
    conditions.status === undefined ? ({ status = 0 }: AppReply) => status >= 200 && status < 400 : () => true;
  return { hasHead: reply => isDone(reply) && hasHead(conditions, reply), hasBody };
}

/** Makes the check for `anonymous`: either all conditions hold, or the answer is the redirect of `or-redirect-to`. */
export function makeAnonymousCheck(conditions: AnonymousConditions): (reply: AppReply) => boolean {
  const { 'or-redirect-to': alternative, ...others } = conditions;
  const hasBody = makeBodyCheck(others);
  const hasOthers = Object.values(others).some(value => value !== undefined);
  return reply => {
    if (alternative !== undefined && isRedirectTo(reply, alternative)) return true;
    return hasOthers && hasHead(others, reply) && hasBody(reply);
  };
}

function hasHead({ status, 'redirect-to': target }: AnswerConditions, reply: AppReply): boolean {
  const hasStatus = status === undefined || (reply.status !== undefined && status.includes(reply.status));
  return hasStatus && (target === undefined || isRedirectTo(reply, target));
}

function makeBodyCheck({ body, path, absent, equals }: AnswerConditions): (reply: AppReply) => boolean {
  const pattern = body === undefined ? undefined : compilePattern(body);
  const steps = path === undefined ? undefined : parseJsonPath(path);
  return reply => {
    if (pattern !== undefined && !matchesSomewhere(reply.body, pattern)) return false;
    if (steps === undefined) return true;
    const { json } = bodyOf(reply);
    // An HTML error page would meet `absent`, since it has no JSON at all. It must not meet any condition.
    if (json === undefined) return false;
    const values = valuesAt(json, steps) ?? [];
    if (equals !== undefined) return values.length > 0 && values.every(value => value === equals);
    return values.some(value => value !== null) !== (absent === true);
  };
}

/** Whether the answer is a redirect to this path. The query counts only if the condition has one. */
function isRedirectTo({ status = 0, headers }: AppReply, target: string): boolean {
  if (status < 300 || status >= 400 || typeof headers.location !== 'string') return false;
  if (!URL.canParse(headers.location, 'http://app/')) return false;
  const { pathname, search } = new URL(headers.location, 'http://app/');
  return (target.includes('?') ? pathname + search : pathname) === target;
}
