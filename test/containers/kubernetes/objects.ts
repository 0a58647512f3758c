/** Kubernetes objects, with the fields that the test cluster reads. A patch may add further fields. */

export interface Meta {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly creationTimestamp: string;
  readonly resourceVersion: string;
  readonly generation?: number;
  readonly labels?: Labels;
  readonly annotations?: Labels;
  readonly ownerReferences?: readonly Owner[];
  readonly deletionTimestamp?: string;
  readonly deletionGracePeriodSeconds?: number;
}

export type Labels = Readonly<Record<string, string>>;

interface Owner {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller: true;
}

export interface EnvVariable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly fieldRef: { readonly fieldPath: string } };
}

export interface PodTemplate {
  readonly metadata: { readonly labels: Labels; readonly annotations?: Labels };
  readonly spec: PodSpec;
}

interface PodSpec {
  readonly containers: readonly {
    readonly name: string;
    readonly image: string;
    readonly env?: readonly EnvVariable[];
    readonly lifecycle?: { readonly preStop: { readonly sleep: { readonly seconds: number } } };
  }[];
  readonly terminationGracePeriodSeconds?: number;
}

export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False';
  readonly reason?: string;
  readonly message?: string;
}

export interface Pod {
  readonly metadata: Meta;
  readonly spec: PodSpec;
  readonly status: {
    readonly phase: 'Pending' | 'Running';
    readonly podIP?: string;
    readonly conditions: readonly Condition[];
    readonly containerStatuses: readonly {
      readonly name: string;
      readonly image: string;
      readonly ready: boolean;
      readonly restartCount: number;
    }[];
  };
}

interface Selector {
  readonly matchLabels: Labels;
}

export interface ReplicaSet {
  readonly metadata: Meta;
  readonly spec: { readonly replicas: number; readonly selector: Selector; readonly template: PodTemplate };
  readonly status: { readonly replicas: number; readonly readyReplicas: number; readonly availableReplicas: number };
}

export interface Deployment {
  readonly metadata: Meta;
  readonly spec: {
    readonly replicas: number;
    /** While true, no change of the template is rolled out. */
    readonly paused?: boolean;
    readonly selector: Selector;
    readonly template: PodTemplate;
    readonly strategy: {
      readonly type: 'RollingUpdate';
      readonly rollingUpdate: { readonly maxSurge: number | string; readonly maxUnavailable: number | string };
    };
  };
  readonly status: {
    readonly observedGeneration?: number;
    readonly replicas?: number;
    readonly updatedReplicas?: number;
    readonly readyReplicas?: number;
    readonly availableReplicas?: number;
    readonly conditions?: readonly Condition[];
  };
}

/** The resources of the API by the name in their path. */
export interface Resources {
  pods: Pod;
  replicasets: ReplicaSet;
  deployments: Deployment;
}

export type Resource = keyof Resources;

export const kinds = {
  pods: { group: '', apiVersion: 'v1', kind: 'Pod', singular: 'pod', shortNames: ['po'] },
  replicasets: { group: 'apps', apiVersion: 'apps/v1', kind: 'ReplicaSet', singular: 'replicaset', shortNames: ['rs'] },
  deployments: {
    group: 'apps',
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    singular: 'deployment',
    shortNames: ['deploy'],
  },
} as const;

export function isResource(name: string): name is Resource {
  return name in kinds;
}

/** Returns whether the service may send requests to the pod. */
export function isReady(pod: Pod): boolean {
  const { metadata, status } = pod;
  return (
    metadata.deletionTimestamp === undefined &&
    status.conditions.some(({ type, status }) => type === 'Ready' && status === 'True')
  );
}

export function isOwnedBy(object: { readonly metadata: Meta }, owner: { readonly metadata: Meta }): boolean {
  return object.metadata.ownerReferences?.some(({ uid }) => uid === owner.metadata.uid) ?? false;
}

/** Returns whether the labels satisfy a selector such as `app=shop,tier!=cache,beta`. */
export function matchesLabels(selector: string, labels: Labels = {}): boolean {
  return selector
    .split(',')
    .filter(Boolean)
    .every(term => {
      const [, name = '', operator, value] = /^([^=!]+)(==?|!=)?(.*)$/.exec(term) ?? [];
      if (operator === undefined) return name in labels;
      return (labels[name] === value) === (operator !== '!=');
    });
}

/** Returns whether an object satisfies a selector such as `metadata.name=shop-1`. */
export function matchesFields(selector: string, object: unknown): boolean {
  return selector
    .split(',')
    .filter(Boolean)
    .every(term => {
      const [field = '', value] = term.split('=');
      const found = field.split('.').reduce<unknown>((part, key) => Reflect.get(Object(part), key), object);
      return String(found) === value;
    });
}
