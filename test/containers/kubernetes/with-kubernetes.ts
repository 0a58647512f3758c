import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { type Kubernetes, type KubernetesSpec, startKubernetes } from './kubernetes.js';
import type { EnvVariable } from './objects.js';

const program = path.resolve(import.meta.dirname, '../../../backends/shop.js');
const verbs = ['get', 'list', 'watch', 'patch', 'delete'];
const allowAll = [{ apiGroups: ['', 'apps'], resources: ['pods', 'deployments', 'replicasets'], verbs }];
const commandWithinMs = 60_000;

/** Starts three pods of the toy shop behind an ingress. `spec` changes this. Stops them afterwards. */
export async function withKubernetes<T>(
  spec: Partial<KubernetesSpec>,
  use: (kubernetes: Kubernetes) => Promise<T>,
): Promise<T> {
  const kubernetes = await startKubernetes({
    images: { 'shop:a': { program }, 'shop:b': { program } },
    image: 'shop:a',
    replicas: 3,
    rules: allowAll,
    ...spec,
  });
  try {
    return await use(kubernetes);
  } finally {
    await kubernetes.stop();
  }
}

/** The variables that lead kubectl to this cluster. */
export function kubectlVariables({ kubeconfig }: Kubernetes): Readonly<Record<string, string>> {
  return { KUBECONFIG: kubeconfig, KUBECACHEDIR: path.dirname(kubeconfig), HOME: path.dirname(kubeconfig) };
}

/** Runs the real kubectl. Rejects with what it said when it fails. */
export async function kubectl(kubernetes: Kubernetes, words: string): Promise<string> {
  const env = { ...process.env, ...kubectlVariables(kubernetes) };
  const { stdout } = await promisify(execFile)('kubectl', words.split(' '), { env, timeout: commandWithinMs });
  return stdout.trim();
}

/** Returns the variables of a pod of the toy shop with its sessions in Redis. Its answers name it by its pod. */
export function shopVariables(redisUrl: string): readonly EnvVariable[] {
  return [
    { name: 'BACKEND_ID', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
    { name: 'BACKEND_VERSION', value: 'A' },
    { name: 'HOLDFAST_MODE', value: 'redis' },
    { name: 'REDIS_URL', value: redisUrl },
  ];
}
