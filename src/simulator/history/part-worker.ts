import { parentPort, workerData } from 'node:worker_threads';
import { readPart } from './read-part.js';

/** A thread that reads one part of a history. It answers with the segments, or with the problem that stopped it. */
try {
  parentPort?.postMessage({ segments: readPart(workerData) });
} catch (error) {
  parentPort?.postMessage({ problem: String(error) });
}
