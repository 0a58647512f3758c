import { expect } from 'chai';

/** Resolves with the error. Fails if `promise` resolves, or rejects with another class than `kind`. */
export async function expectRejection<E extends Error>(
  promise: Promise<unknown>,
  kind: new (...args: never[]) => E,
): Promise<E> {
  const outcome = await promise.then(
    value => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ('error' in outcome && outcome.error instanceof kind) return outcome.error;
  return expect.fail(`expected a ${kind.name}, got ${'error' in outcome ? outcome.error : JSON.stringify(outcome)}`);
}
