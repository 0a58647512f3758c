import { StoreUnavailable } from '#src/sessions/errors.js';
import type { SessionStore } from '#src/sessions/session-store.js';

/** Wraps a store, so that calls of one method wait for `open` or `fail`, once `turnOn` was called. */
export function gateStore(method: keyof SessionStore) {
  const { promise: opened, resolve: open, reject } = withResolvers();
  const { promise: reached, resolve: enter } = withResolvers();
  let isOn = false;
  opened.catch(() => undefined);
  const decorateStore = (store: SessionStore): SessionStore =>
    new Proxy(store, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== 'function') return value;
        if (name !== method || !isOn) return value.bind(target);
        return async (...args: unknown[]) => {
          enter();
          await opened;
          return Reflect.apply(value, target, args);
        };
      },
    });
  const turnOn = () => {
    isOn = true;
  };
  return { decorateStore, reached, open, turnOn, fail: () => reject(new StoreUnavailable('the store is away')) };
}

function withResolvers() {
  let [resolve, reject]: [() => void, (error: Error) => void] = [() => undefined, () => undefined];
  const promise = new Promise<void>((...both) => {
    [resolve, reject] = both;
  });
  return { promise, resolve, reject };
}
