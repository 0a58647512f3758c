import { parentPort } from 'node:worker_threads';

/** A thread that sends one message, and then fails. */
parentPort?.postMessage('first');
throw new Error('no second message');
