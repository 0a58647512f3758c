/** A scenario file that cannot be run: exit code 3. The message says file, line, what was found and what was expected. */
export class ScenarioError extends Error {
  override readonly name = 'ScenarioError';
}

/** A history file that cannot be read: exit code 3. The message says file, line, what was found and what was expected. */
export class HistoryFileError extends Error {
  override readonly name = 'HistoryFileError';
}

/** The lab itself failed (a tool is missing, a process did not boot): exit code 4. The message says what to do next. */
export class LabError extends Error {
  override readonly name = 'LabError';
}

/** A process of the lab did not boot. `how` it ended or did not answer, with its last lines of output. */
export class BootFailed extends LabError {
  constructor(
    message: string,
    readonly member: string,
    readonly how: string,
  ) {
    super(message);
  }
}

/** A member did not come back when a fault was healed: a finding about the system under test, no failure of the lab. */
export class MemberNotBack extends Error {
  override readonly name = 'MemberNotBack';

  constructor(
    readonly member: string,
    readonly why: string,
  ) {
    super(`${member} ${why}`);
  }
}

/** Interrupted by the user; everything was healed and stopped: exit code 130. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';

  constructor() {
    super('interrupted');
  }
}

/** Settles like `work`, or rejects with `Interrupted` as soon as the signal is aborted; `work` is then left to itself. */
export function interruptible<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const interrupt = (): void => reject(new Interrupted());
    if (signal.aborted) interrupt();
    signal.addEventListener('abort', interrupt, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', interrupt));
  });
}
