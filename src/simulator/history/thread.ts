import { Worker } from 'node:worker_threads';
import { packageFile } from '../../shared/package-file.js';

/** A thread that runs a program of this package. */
export class Thread {
  readonly #worker: Worker;
  readonly #failed: Promise<never>;

  /** Starts a program, given by its path in the package. */
  constructor(program: string, workerData: unknown) {
    const worker = new Worker(packageFile(program), { workerData });
    this.#worker = worker;
    this.#failed = new Promise((_, reject) => {
      worker.once('error', reject);
      worker.once('exit', () => reject(new Error(`the thread of ${program} ended early`)));
    });
    // It may fail while nothing waits for a message. The next `receive` rejects then.
    this.#failed.catch(() => undefined);
  }

  send(message: unknown): void {
    this.#worker.postMessage(message);
  }

  /** Resolves with the next message. Rejects if the thread fails or ends first, or did so before. */
  receive<Message>(): Promise<Message> {
    return Promise.race([new Promise<Message>(resolve => this.#worker.once('message', resolve)), this.#failed]);
  }

  stop(): void {
    void this.#worker.terminate();
  }
}
