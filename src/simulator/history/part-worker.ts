import { parentPort, workerData } from 'node:worker_threads';
import { readPart } from './read-part.js';

/** A thread that reads one part of a history. It answers with what it read, or with what kept it from reading. */
try {
  parentPort?.postMessage({ segments: readPart(workerData) });
} catch (error) {
  parentPort?.postMessage({ problem: String(error) });
}
