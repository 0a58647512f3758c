/** A promise that knows whether any code waits for it. A step without a reader does not end the process when it fails;
 * `BrowserSession.finish` reports it. */
export class Step<T> extends Promise<T> {
  isSeen = false;

  /** `then` returns a plain promise. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  static of<T>(work: Promise<T>): Step<T> {
    const step = new Step<T>((resolve, reject) => {
      work.then(resolve, reject);
    });
    Promise.prototype.then.call(step, undefined, () => undefined);
    return step;
  }

  /** `await` calls it too, because this class is not `Promise` itself. */
  // biome-ignore lint/suspicious/noThenProperty: a subclass of Promise
  override then<Value = T, Failure = never>(
    onFulfilled?: ((value: T) => Value | PromiseLike<Value>) | null,
    onRejected?: ((reason: unknown) => Failure | PromiseLike<Failure>) | null,
  ): Promise<Value | Failure> {
    this.isSeen = true;
    return super.then(onFulfilled, onRejected);
  }
}
