import { createHash, randomBytes } from 'node:crypto';
import { type ObjectStore, timestamp } from './object-store.js';
import {
  type Condition,
  type Deployment,
  isOwnedBy,
  isReady,
  kinds,
  type Meta,
  type Pod,
  type PodTemplate,
  type ReplicaSet,
} from './objects.js';

const hashLabel = 'pod-template-hash';
const revisionNote = 'deployment.kubernetes.io/revision';

/** A set of replicas as the decision sees it: what it should have, what is there, what is ready. */
export interface Replicas {
  readonly wanted: number;
  readonly ready: number;
}

/**
 * Decides the next sizes in a rolling update. At most `desired + surge` pods are wanted at a time. An old pod goes only
 * while at least `desired - unavailable` are ready; pods that are not ready go first.
 */
export function planSizes(
  limits: { readonly desired: number; readonly surge: number; readonly unavailable: number },
  next: Replicas,
  old: readonly Replicas[],
): { readonly next: number; readonly old: readonly number[] } {
  const { desired, surge, unavailable } = limits;
  const wanted = sum([next, ...old].map(set => set.wanted));
  const room = Math.max(0, desired + surge - wanted);
  const grown = Math.min(desired, next.wanted + room);
  const notReadyNext = Math.max(0, grown - next.ready);
  let removable = Math.max(0, wanted - next.wanted + grown - (desired - unavailable) - notReadyNext);
  const sizes = old.map(set => {
    const removed = Math.min(set.wanted, removable);
    removable -= removed;
    return set.wanted - removed;
  });
  return { next: grown, old: sizes };
}

/** Returns a limit such as 1 or `25%` of the replicas as a count. The surge is rounded up, as Kubernetes does. */
export function countOf(limit: number | string, replicas: number, round: 'up' | 'down'): number {
  if (typeof limit === 'number') return limit;
  const exact = (Number.parseInt(limit, 10) / 100) * replicas;
  return round === 'up' ? Math.ceil(exact) : Math.floor(exact);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** Brings all deployments and replica sets closer to their specification. Call it after each change. */
export function reconcile(store: ObjectStore): void {
  const deployments = store.list('deployments').filter(({ spec }) => spec.paused !== true);
  for (const deployment of deployments) reconcileDeployment(store, deployment);
  for (const set of store.list('replicasets')) reconcileReplicaSet(store, set);
}

function reconcileDeployment(store: ObjectStore, deployment: Deployment): void {
  const owned = store.list('replicasets').filter(set => isOwnedBy(set, deployment));
  const hash = hashTemplate(deployment.spec.template);
  const next = owned.find(set => set.metadata.labels?.[hashLabel] === hash) ?? createSet(store, deployment, hash);
  const old = owned.filter(set => set.metadata.uid !== next.metadata.uid);
  const { replicas: desired, strategy } = deployment.spec;
  const { maxSurge, maxUnavailable } = strategy.rollingUpdate;
  const surge = countOf(maxSurge, desired, 'up');
  const unavailable = countOf(maxUnavailable, desired, 'down') || (surge === 0 ? 1 : 0);
  const sizes = planSizes({ desired, surge, unavailable }, replicasOf(next), old.map(replicasOf));
  scaleTo(store, noteRevision(deployment, next, owned), sizes.next);
  for (const [index, set] of old.entries()) scaleTo(store, set, sizes.old[index] ?? 0);
  writeStatus(store, deployment.metadata.name, hash);
}

function replicasOf({ spec, status }: ReplicaSet): Replicas {
  return { wanted: spec.replicas, ready: Math.min(spec.replicas, status.readyReplicas) };
}

function scaleTo(store: ObjectStore, set: ReplicaSet, replicas: number): void {
  store.update('replicasets', { ...set, spec: { ...set.spec, replicas } });
}

function createSet(store: ObjectStore, deployment: Deployment, hash: string): ReplicaSet {
  const { template } = deployment.spec;
  const labels = { ...template.metadata.labels, [hashLabel]: hash };
  return store.create('replicasets', {
    metadata: {
      name: `${deployment.metadata.name}-${hash}`,
      labels,
      ownerReferences: [ownerOf('deployments', deployment.metadata)],
    },
    spec: {
      replicas: 0,
      selector: { matchLabels: labels },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
    status: { replicas: 0, readyReplicas: 0, availableReplicas: 0 },
  });
}

function ownerOf(resource: 'deployments' | 'replicasets', { name, uid }: Meta) {
  const { apiVersion, kind } = kinds[resource];
  return { apiVersion, kind, name, uid, controller: true } as const;
}

/** Returns the set with a revision above all others. A set that is used again, as in a rollback, gets a new one. */
function noteRevision(deployment: Deployment, next: ReplicaSet, all: readonly ReplicaSet[]): ReplicaSet {
  const others = all.filter(({ metadata }) => metadata.uid !== next.metadata.uid).map(revisionOf);
  const revision = Math.max(revisionOf(next), 1 + Math.max(0, ...others));
  const annotations = { ...deployment.metadata.annotations, [revisionNote]: String(revision) };
  return { ...next, metadata: { ...next.metadata, annotations } };
}

function revisionOf({ metadata }: ReplicaSet): number {
  return Number(metadata.annotations?.[revisionNote] ?? 0);
}

function writeStatus(store: ObjectStore, name: string, hash: string): void {
  const deployment = store.get('deployments', name);
  if (deployment === undefined) return;
  const sets = store.list('replicasets').filter(set => isOwnedBy(set, deployment));
  const next = sets.find(set => set.metadata.labels?.[hashLabel] === hash);
  const ready = sum(sets.map(({ status }) => status.readyReplicas));
  const updated = next?.status.replicas ?? 0;
  const replicas = sum(sets.map(({ status }) => status.replicas));
  const isComplete = [updated, ready, replicas].every(count => count === deployment.spec.replicas);
  const conditions: readonly Condition[] = [
    { type: 'Available', status: ready > 0 ? 'True' : 'False' },
    { type: 'Progressing', status: 'True', reason: isComplete ? 'NewReplicaSetAvailable' : 'ReplicaSetUpdated' },
  ];
  const revision = String(next === undefined ? 0 : revisionOf(next));
  const { metadata } = deployment;
  store.update('deployments', {
    ...deployment,
    metadata: { ...metadata, annotations: { ...metadata.annotations, [revisionNote]: revision } },
    status: {
      observedGeneration: metadata.generation ?? 1,
      replicas,
      updatedReplicas: updated,
      readyReplicas: ready,
      availableReplicas: ready,
      conditions,
    },
  });
}

function reconcileReplicaSet(store: ObjectStore, set: ReplicaSet): void {
  const pods = store.list('pods').filter(pod => isOwnedBy(pod, set));
  const staying = pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  for (let count = staying.length; count < set.spec.replicas; count += 1) createPod(store, set);
  for (const pod of chooseSurplus(staying, set.spec.replicas)) deletePod(store, pod);
  const left = store.list('pods').filter(pod => isOwnedBy(pod, set) && pod.metadata.deletionTimestamp === undefined);
  const ready = left.filter(isReady).length;
  const current = store.get('replicasets', set.metadata.name) ?? set;
  const status = { replicas: left.length, readyReplicas: ready, availableReplicas: ready };
  store.update('replicasets', { ...current, status });
}

/** Returns the pods that are too many: those that are not ready first, then the youngest. */
function chooseSurplus(pods: readonly Pod[], wanted: number): readonly Pod[] {
  const worst = [...pods].sort(
    (one, two) => Number(isReady(one)) - Number(isReady(two)) || versionOf(two) - versionOf(one),
  );
  return worst.slice(0, Math.max(0, pods.length - wanted));
}

function versionOf({ metadata }: Pod): number {
  return Date.parse(metadata.creationTimestamp);
}

function createPod(store: ObjectStore, set: ReplicaSet): void {
  const { template } = set.spec;
  store.create('pods', {
    metadata: {
      name: `${set.metadata.name}-${randomBytes(3).toString('hex').slice(0, 5)}`,
      labels: template.metadata.labels,
      ...(template.metadata.annotations && { annotations: template.metadata.annotations }),
      ownerReferences: [ownerOf('replicasets', set.metadata)],
    },
    spec: template.spec,
    status: { phase: 'Pending', conditions: [{ type: 'Ready', status: 'False' }], containerStatuses: [] },
  });
}

/** Marks the pod for deletion. The kubelet stops its process and then removes it. */
export function deletePod(
  store: ObjectStore,
  pod: Pod,
  graceSeconds = pod.spec.terminationGracePeriodSeconds ?? 30,
): void {
  const { metadata } = pod;
  const grace = Math.min(graceSeconds, metadata.deletionGracePeriodSeconds ?? graceSeconds);
  const deletionTimestamp = metadata.deletionTimestamp ?? timestamp();
  store.update('pods', { ...pod, metadata: { ...metadata, deletionTimestamp, deletionGracePeriodSeconds: grace } });
  if (grace === 0) store.remove('pods', metadata.name);
}

/** Returns the hash of a template in the letters that Kubernetes uses for it. */
function hashTemplate(template: PodTemplate): string {
  return createHash('sha256').update(writeCanonical(template)).digest('hex').slice(0, 10);
}

/** Returns a text that depends neither on the order of keys nor on empty fields: kubectl adds some in a rollback. */
function writeCanonical(value: unknown): string {
  return JSON.stringify(value, (_key, part) => {
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part ?? undefined;
    const fields = Object.entries(part).filter(([, field]) => !isEmpty(field));
    return Object.fromEntries(fields.sort(([one], [two]) => (one < two ? -1 : 1)));
  });
}

function isEmpty(field: unknown): boolean {
  return field === null || (typeof field === 'object' && Object.keys(field).length === 0);
}
