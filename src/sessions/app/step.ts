/**
 * A promise that records its state, and in `isSeen` whether any code waits for it. If it rejects and no code waits, the
 * process does not end: `BrowserSession.finish` reports the failure.
 */
export class Step<T> extends Promise<T> {
  state: 'running' | 'done' | 'failed' = 'running';
  isSeen = false;

  /** `then` returns a plain promise. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  static of<T>(work: Promise<T>): Step<T> {
    const step = new Step<T>((resolve, reject) => {
      work.then(resolve, reject);
    });
    void step.whenOver();
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

  /** Resolves when the step is done or has failed, and records which. */
  whenOver(): Promise<void> {
    return super.then(
      () => {
        this.state = 'done';
      },
      () => {
        this.state = 'failed';
      },
    );
  }
}
