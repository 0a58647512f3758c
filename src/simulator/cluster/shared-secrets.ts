import { readFile, rename, writeFile } from 'node:fs/promises';
import { formatKeyRing, type KeyRing, parseKeyRing } from '../../shared/key-ring.js';
import type { Cluster, ClusterMember } from './cluster.js';
import { ask, waitUntil } from './probe.js';

const knownWithinMs = 3_000;
const answerWithinMs = 1_000;

/** Returns the key ring that all backends of the lab share. Rejects when the scenario sets its own secrets. */
export async function readSharedRing({ secretsFile }: Cluster): Promise<KeyRing> {
  return parseKeyRing((await readFile(fileOf(secretsFile), 'utf8')).trim());
}

/** Gives every running backend another key ring and waits until each reports it. Returns false when one does not. The
 * file is renamed into place, so that no backend reads half of it. */
export async function shareRing(cluster: Cluster, ring: KeyRing): Promise<boolean> {
  const file = fileOf(cluster.secretsFile);
  await writeFile(`${file}.new`, formatKeyRing(ring), { mode: 0o600 });
  await rename(`${file}.new`, file);
  for (const backend of backendsOf(cluster)) backend.reload();
  return waitUntil(() => hasRingEverywhere(cluster, ring), knownWithinMs);
}

/** Returns whether every running backend reports exactly this key ring. A dead backend reads it when it boots. */
export async function hasRingEverywhere(cluster: Cluster, ring: KeyRing): Promise<boolean> {
  const wanted = ring.map(({ id }) => id).join();
  const running = backendsOf(cluster).filter(({ isRunning }) => isRunning);
  const said = await Promise.all(running.map(backend => keysOf(backend).catch(() => '')));
  return said.length > 0 && said.every(keys => keys === wanted);
}

/** Says which keys every backend uses. Returns false when a backend uses another key ring. */
export async function describeSharedRing(cluster: Cluster, ring: KeyRing): Promise<string | false> {
  const ids = ring.map(({ id }) => id).join(', ');
  return (
    (await hasRingEverywhere(cluster, ring)) && `every backend uses the ${ring.length === 1 ? 'key' : 'keys'} ${ids}`
  );
}

function fileOf(secretsFile: string | undefined): string {
  if (secretsFile !== undefined) return secretsFile;
  throw new Error('the scenario sets its own secrets: remove them from system.backends.env');
}

function backendsOf({ members }: Cluster): ClusterMember[] {
  return members.filter(({ role }) => role === 'backend');
}

/** Returns the ids of the keys that the backend uses, the newest first. */
async function keysOf({ port }: ClusterMember): Promise<string> {
  const { json } = await ask('GET', `http://127.0.0.1:${port}/stats`, answerWithinMs);
  return typeof json === 'object' && json !== null && 'keys' in json && Array.isArray(json.keys)
    ? json.keys.join()
    : '';
}
