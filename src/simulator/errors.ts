/** A scenario file that cannot be run: exit code 3. The message says file, line, what was found and what was
 * expected. */
export class ScenarioError extends Error {
  override readonly name = 'ScenarioError';
}

/** A history file that cannot be read: exit code 3. The message says file, line, what was found and what was
 * expected. */
export class HistoryFileError extends Error {
  override readonly name = 'HistoryFileError';
}

/** The lab itself failed (a tool is missing, a process did not boot): exit code 4. The message says what to do next. */
export class LabError extends Error {
  override readonly name = 'LabError';
}

/** A process of the lab did not boot. `how` says how it ended, or that it did not answer, with its last output
 * lines. */
export class BootFailed extends LabError {
  constructor(
    message: string,
    readonly member: string,
    readonly how: string,
    readonly port: number,
  ) {
    super(message);
  }
}

/** A member did not come back after a fault was healed. This is a finding about the system, not a failure of the
 * lab. */
export class MemberNotBack extends Error {
  override readonly name = 'MemberNotBack';

  constructor(
    readonly member: string,
    readonly why: string,
  ) {
    super(`${member} ${why}`);
  }
}

/** The user interrupted the run, and everything was healed and stopped: exit code 130. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';

  constructor() {
    super('interrupted');
  }
}

/** Settles as `work` does, or rejects with `Interrupted` once the signal is aborted. It does not cancel `work`. */
export function rejectOnAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const interrupt = (): void => reject(new Interrupted());
    if (signal.aborted) interrupt();
    signal.addEventListener('abort', interrupt, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', interrupt));
  });
}
