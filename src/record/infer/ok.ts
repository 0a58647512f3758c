import type { WrittenJourney } from '../../simulator/scenario/journey/journey.js';
import type { StepKind } from '../../simulator/scenario/journey/mapping.js';
import { makeOkCheck } from '../../simulator/users/answer-check.js';
import type { AlignedPasses, FoundStep } from './align.js';
import { bodyConditions } from './anonymous.js';
import { answerLeaves, jsonOf, type RecordedCall, redirectOf } from './call.js';

export type WrittenOk = NonNullable<WrittenJourney['login']['ok']>;

/**
 * Writes the conditions that the answers of a step meet: the status, the target of a redirect, and what tells a good
 * body from a bad one where the status cannot. `bad`: answers that must not pass, such as the login page.
 */
export function writeOk(
  kind: StepKind,
  { calls }: FoundStep,
  { first, second, anonymous }: AlignedPasses,
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
  const all = [...first.calls, ...second.calls, ...anonymous];
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
