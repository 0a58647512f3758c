import { type AlignedPasses, type FoundStep, findInBoth, type Group } from './align.js';
import { carries, describeCall, isDone, isSafe, type RecordedCall, type TypedCalls } from './call.js';
import { shows } from './place.js';
import { chooseOne, type Stop, stopWith } from './stop.js';

/** Finds the request that adds the item: it carries the item after the login, and no answer showed the item as removed
 * after it. */
export function findAdd(
  recording: AlignedPasses,
  login: FoundStep,
  answers: ReadonlyMap<string, string>,
): FoundStep | Stop {
  const { first, second } = recording;
  const candidates = itemSteps(recording, login);
  if (candidates.length === 0) return stopWith(explainNoItem(recording));
  const removes = candidates.filter(step => candidates.some(other => other !== step && isRemoval(step, other, first)));
  const adds = candidates.filter(step => !removes.includes(step));
  const writes = adds.filter(({ calls: [call] }) => !isSafe(call));
  const best = writes.length > 0 ? writes : adds;
  const text = `Which request adds the item ${first.item} (${second.item} in the second pass)?`;
  return chooseOne('add', text, best, ({ calls: [call] }) => describeCall(call), answers);
}

/** Finds the request that removes the item again, if a pass shows one. */
export function findRemove(recording: AlignedPasses, login: FoundStep, add: FoundStep): FoundStep | undefined {
  return itemSteps(recording, login).find(step => step.group !== add.group && isRemoval(step, add, recording.first));
}

/** Returns the steps after the login that carry the item in both passes. */
function itemSteps(recording: AlignedPasses, login: FoundStep): FoundStep[] {
  return findInBoth(recording, (calls, { item }, pass) =>
    calls.find(call => call.order > login.calls[pass].order && isDone(call) && carries(call, item)),
  );
}

/** Whether some answer showed the item between the two steps, and an answer of its kind does not after the later one. */
function isRemoval({ calls: [remove] }: FoundStep, { calls: [add] }: FoundStep, { item, calls }: TypedCalls): boolean {
  if (isSafe(remove) || remove.order < add.order) return false;
  const isView = (call: RecordedCall) => isDone(call) && !carries(call, item) && call.reply.body !== '';
  const before = calls.filter(
    call => call.order > add.order && call.order < remove.order && isView(call) && shows(call, item),
  );
  const after = calls.filter(call => call.order > remove.order && isView(call));
  const again = after.filter(({ method, path }) => before.some(call => call.method === method && call.path === path));
  return again.length > 0 && again.every(call => !shows(call, item));
}

function explainNoItem({ first, second, groups }: AlignedPasses): string {
  const inFirst = first.calls.some(call => carries(call, first.item));
  const inSecond = second.calls.some(call => carries(call, second.item));
  if (!inFirst || !inSecond)
    return `no request of the ${inFirst ? 'second' : 'first'} pass carries the item ${inFirst ? second.item : first.item}: record it again, and type exactly this text where the app takes a free text`;
  const has = (group: Group) => group.first.some(call => carries(call, first.item));
  const [group] = groups.filter(has);
  const named = group?.first[0] === undefined ? 'The item' : `${describeCall(group.first[0])} carries the item, but it`;
  return `${named} is not sent in the same way in both passes after the login, with a good answer: record both passes again, with the same clicks`;
}
