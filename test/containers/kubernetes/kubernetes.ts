import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { waitUntil } from '#src/simulator/cluster/probe.js';
import { createApiServer, type Rule } from './api-server.js';
import { reconcile } from './deployment-controller.js';
import { type Images, Kubelet } from './kubelet.js';
import { ObjectStore } from './object-store.js';
import type { EnvVariable } from './objects.js';
import { Service } from './service.js';

/** A small Kubernetes: an API for kubectl, a controller of deployments, pods that are real processes, an ingress. */
export interface Kubernetes {
  readonly store: ObjectStore;
  readonly kubelet: Kubelet;
  readonly service: Service;
  /** The ingress. */
  readonly url: string;
  /** The file for KUBECONFIG, in a folder that kubectl may use for its cache. */
  readonly kubeconfig: string;
  /** The requests to the API so far: `GET /api?timeout=32s`. */
  readonly requests: readonly string[];
  stop(): Promise<void>;
}

export interface KubernetesSpec {
  readonly images: Images;
  /** The image and the variables of the deployment `shop`. */
  readonly image: string;
  readonly env?: readonly EnvVariable[];
  readonly replicas: number;
  readonly surge?: number | string;
  readonly unavailable?: number | string;
  readonly preStopSeconds?: number;
  /** What the client of the API may do. */
  readonly rules: readonly Rule[];
  /** The ingress keeps each user at its pod by a cookie. */
  readonly bindsByCookie?: boolean;
}

const readyWithinMs = 30_000;

/** Starts the cluster with the deployment `shop`. Resolves when all its pods are ready. */
export async function startKubernetes(spec: KubernetesSpec): Promise<Kubernetes> {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-kube-'));
  const store = new ObjectStore();
  const requests: string[] = [];
  const api = createApiServer(store, spec.rules, requests);
  const apiUrl = await listen(api);
  // No other cluster of this machine has this port.
  const kubelet = new Kubelet(store, spec.images, Number(new URL(apiUrl).port));
  const service = new Service(store, spec.bindsByCookie ?? false);
  const stopController = runController(store);
  const kubeconfig = path.join(folder, 'config');
  const stop = async () => {
    stopController();
    await kubelet.stop();
    service.stop();
    api.closeAllConnections();
    api.close();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await writeFile(kubeconfig, formatKubeconfig(apiUrl));
    createDeployment(store, spec);
    const url = await listen(service.server);
    if (!(await waitUntil(async () => service.endpoints.length === spec.replicas, readyWithinMs)))
      throw new Error(`only ${service.endpoints.length} pods became ready`);
    return { store, kubelet, service, url, kubeconfig, requests, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Reconciles after each change. Returns the function that ends this. */
function runController(store: ObjectStore): () => void {
  let isDue = false;
  return store.watch(store.version, () => {
    if (isDue) return;
    isDue = true;
    setImmediate(() => {
      isDue = false;
      reconcile(store);
    });
  });
}

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP server without a port');
  return `http://127.0.0.1:${address.port}`;
}

function createDeployment(store: ObjectStore, spec: KubernetesSpec): void {
  const labels = { app: 'shop' };
  const preStop = spec.preStopSeconds && { lifecycle: { preStop: { sleep: { seconds: spec.preStopSeconds } } } };
  const container = { name: 'shop', image: spec.image, env: spec.env ?? [], ...preStop };
  const rollingUpdate = { maxSurge: spec.surge ?? '25%', maxUnavailable: spec.unavailable ?? '25%' };
  store.create('deployments', {
    metadata: { name: 'shop', labels },
    spec: {
      replicas: spec.replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [container], terminationGracePeriodSeconds: 30 } },
      strategy: { type: 'RollingUpdate', rollingUpdate },
    },
    status: {},
  });
}

/** JSON is YAML, too. */
function formatKubeconfig(server: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server } }],
    users: [{ name: 'holdfast', user: {} }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'holdfast', namespace: 'default' } }],
    'current-context': 'test',
  });
}
