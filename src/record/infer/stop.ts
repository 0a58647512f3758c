import type { Inferred } from '../passes.js';

/** A decision that cannot be made: a question to the person, or what is missing in the passes. */
export type Stop = Exclude<Inferred, { readonly kind: 'journey' }>;

export function isStop(decision: unknown): decision is Stop {
  const kind = typeof decision === 'object' && decision !== null && 'kind' in decision ? decision.kind : undefined;
  return kind === 'question' || kind === 'problem';
}

export function stopWith(problem: string): Stop {
  return { kind: 'problem', problem };
}

/**
 * Returns the one candidate, or the one that was answered. Otherwise it asks. `describe`: how a candidate is named; the
 * name is its id, too, so that an answer stays right when the order changes.
 */
export function chooseOne<T>(
  id: string,
  text: string,
  candidates: readonly T[],
  describe: (candidate: T) => string,
  answers: ReadonlyMap<string, string>,
): T | Stop {
  const [only] = candidates;
  if (only !== undefined && candidates.length === 1) return only;
  const names = candidates.map(describe).map((name, i, all) => {
    const same = all.slice(0, i).filter(each => each === name).length;
    return same === 0 ? name : `${name} (${same + 1})`;
  });
  const answered = candidates[names.indexOf(answers.get(id) ?? '')];
  if (answered !== undefined) return answered;
  return { kind: 'question', question: { id, text, candidates: names.map(name => ({ id: name, label: name })) } };
}
