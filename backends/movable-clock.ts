/**
 * Puts a clock in place of this process's own, which can be moved: whoever asks `Date.now()` or `new Date()` after it, and
 * whoever kept `Date.now` since, gets the moved time. Timers and `performance.now()` go on as they did.
 */
export function movableClock(): { moveBy(ms: number): void } {
  const real = Date;
  let byMs = 0;
  const now = () => real.now() + byMs;
  globalThis.Date = new Proxy(real, {
    construct: (target, args, self) => Reflect.construct(target, args.length === 0 ? [now()] : args, self),
    get: (target, key) => (key === 'now' ? now : Reflect.get(target, key)),
  });
  return {
    moveBy: ms => {
      byMs = ms;
    },
  };
}
