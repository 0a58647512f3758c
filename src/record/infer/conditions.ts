import { escapeForPattern } from '../../shared/text.js';
import type { WrittenJourney } from '../../simulator/scenario/journey/journey.js';
import type { AnonymousConditions, StepKind } from '../../simulator/scenario/journey/mapping.js';
import { bodyPatternProblem } from '../../simulator/scenario/journey/page-pattern.js';
import { makeAnonymousCheck, makeOkCheck } from '../../simulator/users/answer-check.js';
import { type AlignedPasses, type FoundStep, type Group, isRandom, type Stop, stopWith } from './align.js';
import { answerLeaves, describeCall, jsonOf, type RecordedCall, redirectOf } from './call.js';
import type { ReadStep } from './read.js';

/** The part `anonymous` of a scenario file, and remarks about where it comes from. */
interface Anonymous {
  readonly conditions: WrittenJourney['anonymous'];
  readonly notes: readonly string[];
}

/**
 * Finds how the app answers the read without a login. The conditions hold for all answers of the third pass to it, and
 * for none of `loggedIn`.
 */
export function findAnonymous(
  recording: AlignedPasses,
  read: ReadStep,
  loggedIn: readonly RecordedCall[],
): Anonymous | Stop {
  const name = describeCall(read.calls[0]);
  const own = read.group.anonymous;
  const { answers, notes } = own.length > 0 ? { answers: own, notes: [] } : answersOfOthers(recording.groups, name);
  const [answer] = answers;
  if (answer === undefined)
    return stopWith(
      `the pass without a login never asks for ${name}: record it again, and open the page of the items in it${explainAddress(read)}`,
    );
  const fits = (conditions: AnonymousConditions) => {
    const isAnonymous = makeAnonymousCheck(conditions);
    return answers.every(({ reply }) => isAnonymous(reply)) && !loggedIn.some(({ reply }) => isAnonymous(reply));
  };
  const found = proposeConditions(answer, read).find(fits);
  if (found !== undefined) {
    const { status: [status] = [], ...others } = found;
    const conditions = { ...(status === undefined ? {} : { status }), ...others };
    const isProven = isSure(conditions) || read.hasEmpty;
    const doubt = `"anonymous" is recognised by ${JSON.stringify(conditions)}: a user with a login and an empty cart must not get the same answer`;
    return { conditions, notes: isProven ? notes : [...notes, doubt] };
  }
  const alike = loggedIn.find(call => redirectOf(answer) !== undefined && redirectOf(call) === redirectOf(answer));
  return stopWith(
    alike !== undefined
      ? `${describeCall(alike)} with a login and ${name} without one both redirect to ${redirectOf(answer)}, so that a run cannot tell a lost login from a good answer: choose another page for the items`
      : `${name} is answered with and without a login in the same way, as far as the recording shows (status ${answer.reply.status}): choose a page that only a user sees`,
  );
}

/** A page with scripts can know by itself that there is no login, and then it never asks. */
function explainAddress({ calls: [{ method, path }] }: ReadStep): string {
  return method === 'GET'
    ? `. If the app does not ask for it, type this path behind the address of the pass: ${path}`
    : '';
}

/** Whether conditions are about a login, and not only about an empty cart. */
function isSure({ status, 'redirect-to': target, ...others }: WrittenJourney['anonymous']): boolean {
  return (
    target !== undefined ||
    Number(status) >= 400 ||
    /log|sign|auth|err|code|user|name|account/i.test(JSON.stringify(others))
  );
}

/** Returns how other requests were refused that the passes with a login asked, too. */
function answersOfOthers(
  groups: readonly Group[],
  name: string,
): { readonly answers: readonly RecordedCall[]; readonly notes: string[] } {
  const isRefused = (call: RecordedCall) =>
    [401, 403].includes(call.reply.status ?? 0) || redirectOf(call) !== undefined;
  const isGood = ({ reply: { status = 0 } }: RecordedCall) => status >= 200 && status < 300;
  const group = groups.find(
    ({ first, anonymous }) => first.some(isGood) && anonymous.length > 0 && anonymous.every(isRefused),
  );
  const [call] = group?.anonymous ?? [];
  if (group === undefined || call === undefined) return { answers: [], notes: [] };
  const note = `the pass without a login never asked for ${name}: "anonymous" is how the app refused ${describeCall(call)}`;
  return { answers: group.anonymous, notes: [note] };
}

/** Lists conditions from the surest to the weakest. */
function proposeConditions(answer: RecordedCall, read: ReadStep): AnonymousConditions[] {
  const { status = 0 } = answer.reply;
  const target = redirectOf(answer);
  if (target !== undefined) return [{ 'redirect-to': target }];
  if (status >= 400) return [{ status: [status] }, ...bodyConditions(answer, status)];
  return jsonOf(answer) === undefined ? bodyConditions(answer, status) : jsonConditions(answer, read);
}

function jsonConditions(answer: RecordedCall, { who }: ReadStep): AnonymousConditions[] {
  const isStable = (value: unknown) =>
    typeof value === 'boolean' || (typeof value === 'string' && /^.{1,100}$/.test(value) && !isRandom(value));
  const texts = answerLeaves(answer).filter(({ value }) => isStable(value));
  const isAbout = (pattern: RegExp) => texts.filter(({ path }) => pattern.test(path));
  const errors = [...isAbout(/\bcode$/i), ...isAbout(/err|message|reason|status/i)];
  const flags = texts.filter(({ value }) => value === false);
  return [
    ...[...errors, ...flags].map(({ path, value }) => ({ path, equals: value })),
    ...(who?.path === undefined ? [] : [{ path: who.path, absent: true as const }]),
    ...answerLeaves(answer).flatMap(({ name, value }) =>
      value === null || value === false ? wrongValue(name, value) : [],
    ),
    ...texts.map(({ path, value }) => ({ path, equals: value })),
    // Without a name in it, such an answer could be the empty cart of a user.
    ...(who === undefined ? [] : wholeBody(answer)),
  ];
}

/** Proposes the whole of a short body, for an answer that only lacks what others have. */
function wholeBody({ reply: { body } }: RecordedCall): AnonymousConditions[] {
  const isStable = body.length <= 200 && !/\d{5}/.test(body) && !/[\w-]{16,}/.test(body);
  return isStable ? [{ body: `/^${escapeForPattern(body.trim()).replaceAll('/', '\\/')}\\s*$/` }] : [];
}

/** Proposes a pattern for the JSON text. A condition on the path would also fit short answers of other steps. */
function wrongValue(name: string, value: null | false): AnonymousConditions[] {
  return [{ body: `/"${escapeForPattern(name).replaceAll('/', '\\/')}":\\s*${value}/` }];
}

/** Proposes texts of a page: those about a login first, then titles, then the others. */
function bodyConditions({ reply: { body } }: RecordedCall, status: number): AnonymousConditions[] {
  const texts = [...body.matchAll(/>([^<>]{4,60})</g)].map(([, text = '']) => text.trim());
  const titles = [...body.matchAll(/<(?:title|h1|h2|label|button)\b[^>]*>[^<>]{4,60}</gi)].map(([found]) => found);
  const fields = /type="password"/.test(body) ? ['type="password"'] : [];
  const plain = body.includes('<') ? [] : [body.trim().slice(0, 60)];
  const about = texts.filter(text => /\b(log|sign)[ -]?(in|on)\b/i.test(text));
  const stable = [...about, ...titles, ...fields, ...texts, ...plain].filter(
    text => /[a-z]{3}/i.test(text) && !/\d{3}/.test(text),
  );
  return [...new Set(stable)].slice(0, 40).flatMap(text => {
    const pattern = `/${escapeForPattern(text)
      .replaceAll(/\s{2,}|[\t\n\r]/g, '\\s+')
      .replaceAll('/', '\\/')}/`;
    return bodyPatternProblem(pattern) === undefined ? [{ status: [status], body: pattern }] : [];
  });
}

type WrittenOk = NonNullable<WrittenJourney['login']['ok']>;

/**
 * Writes the conditions that the answers of a step meet: the status, the target of a redirect, and what tells a good
 * body from a bad one where the status cannot. `bad`: answers that must not pass, such as the login page.
 */
export function writeOk(
  kind: StepKind,
  { calls }: FoundStep,
  { first, second, visitor }: AlignedPasses,
  bad: readonly RecordedCall[],
): WrittenOk {
  const statuses = [...new Set(calls.map(({ reply: { status = 200 } }) => status))];
  const isCreation =
    kind === 'add' && jsonOf(calls[0]) !== undefined && statuses.every(each => each === 200 || each === 201);
  const status = isCreation ? [200, 201] : statuses.length === 1 ? (statuses[0] ?? 200) : statuses;
  const targets = new Set(calls.map(redirectOf));
  const [target] = targets;
  if (target !== undefined && targets.size === 1) return { status, 'redirect-to': target };
  const [call] = calls;
  if (jsonOf(call) === undefined) return { status, ...bodyCondition(kind, calls, bad) };
  const all = [...first.calls, ...second.calls, ...visitor.calls];
  return { status, ...jsonCondition(calls, all) };
}

function jsonCondition(calls: readonly RecordedCall[], all: readonly RecordedCall[]): WrittenOk {
  const top = (call: RecordedCall, name: string) => answerLeaves(call).find(({ path }) => path === `$.${name}`)?.value;
  const flag = ['ok', 'success'].find(name => calls.every(call => top(call, name) === true));
  if (flag !== undefined) return { path: `$.${flag}`, equals: true };
  const isGraphql = calls.every(
    ({ json }) => typeof json === 'object' && json !== null && ('query' in json || 'operationName' in json),
  );
  const hasError = (call: RecordedCall, name: string) =>
    answerLeaves(call).some(
      ({ path, value }) =>
        value !== null && (path === `$.${name}` || path.startsWith(`$.${name}[`) || path.startsWith(`$.${name}.`)),
    );
  const isSame = ({ reply: { status = 0 }, path }: RecordedCall) =>
    status < 300 && calls.some(call => call.path === path);
  const errors = ['errors', 'error'].find(
    name =>
      !calls.some(call => hasError(call, name)) &&
      ((isGraphql && name === 'errors') || all.some(call => isSame(call) && hasError(call, name))),
  );
  return errors === undefined ? {} : { path: `$.${errors}`, absent: true };
}

/** Finds a text of a page that only a good answer has. A read needs none: its items and its name say as much. */
function bodyCondition(kind: StepKind, calls: readonly RecordedCall[], bad: readonly RecordedCall[]): WrittenOk {
  const [call] = calls;
  if (call === undefined || kind === 'read' || kind === 'whoami') return {};
  const isLike = ({ reply: { status = 0 } }: RecordedCall) => status === call.reply.status;
  if (!bad.some(isLike)) return {};
  const fits = (body: string | undefined) => {
    const { hasBody } = makeOkCheck({ body });
    return calls.every(({ reply }) => hasBody(reply)) && !bad.some(({ reply }) => hasBody(reply));
  };
  const found = bodyConditions(call, 200).find(({ body }) => fits(body));
  return found?.body === undefined ? {} : { body: found.body };
}
