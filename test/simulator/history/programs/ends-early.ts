import { parentPort } from 'node:worker_threads';

/** A thread that sends one message, and fails at the first that it receives. */
parentPort?.postMessage('first');
parentPort?.once('message', () => {
  throw new Error('no second message');
});
