import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { isDeepStrictEqual } from 'node:util';
import type { Meta, Resource, Resources } from './objects.js';

export interface Change<Name extends Resource = Resource> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly resource: Name;
  readonly object: Resources[Name];
  readonly version: number;
}

type Draft<Name extends Resource> = Omit<Resources[Name], 'metadata'> & {
  readonly metadata: Pick<Meta, 'name' | 'labels' | 'annotations' | 'ownerReferences'>;
};

const changesKept = 1_000;

/** The objects of one namespace. Each change gets a version, and a watch starts from one. */
export class ObjectStore {
  readonly namespace = 'default';
  #version = 1;
  readonly #objects: { [Name in Resource]: Map<string, Resources[Name]> } = {
    pods: new Map(),
    replicasets: new Map(),
    deployments: new Map(),
  };
  readonly #changes: Change[] = [];
  readonly #events = new EventEmitter<{ change: [Change] }>().setMaxListeners(0);

  get version(): number {
    return this.#version;
  }

  list<Name extends Resource>(resource: Name): readonly Resources[Name][] {
    return [...this.#objects[resource].values()];
  }

  get<Name extends Resource>(resource: Name, name: string): Resources[Name] | undefined {
    return this.#objects[resource].get(name);
  }

  create<Name extends Resource>(resource: Name, draft: Draft<Name>): Resources[Name] {
    const times = { uid: randomUUID(), creationTimestamp: timestamp(), generation: 1 };
    const metadata = { namespace: this.namespace, ...times, ...draft.metadata };
    return this.#put('ADDED', resource, { ...draft, metadata } as unknown as Resources[Name]);
  }

  /** Replaces the object of the same name. A change of the specification counts as a new generation. Does nothing when
   * the object is gone, or when nothing changes. */
  update<Name extends Resource>(resource: Name, object: Resources[Name]): void {
    const old = this.get(resource, object.metadata.name);
    if (old === undefined || old.metadata.uid !== object.metadata.uid || isDeepStrictEqual(old, object)) return;
    const { generation = 1 } = old.metadata;
    const isSame = isDeepStrictEqual(old.spec, object.spec);
    const metadata = { ...object.metadata, generation: isSame ? generation : generation + 1 };
    this.#put('MODIFIED', resource, { ...object, metadata });
  }

  /** Removes the object. Its watches get its last state. Does nothing when it is gone. */
  remove(resource: Resource, name: string): void {
    const object = this.get(resource, name);
    if (object !== undefined) this.#put('DELETED', resource, object);
  }

  /** Calls `onChange` with each change after `version`, and with later ones. Returns the function that ends this. */
  watch(version: number, onChange: (change: Change) => void): () => void {
    for (const change of this.#changes) if (change.version > version) onChange(change);
    this.#events.on('change', onChange);
    return () => this.#events.off('change', onChange);
  }

  #put<Name extends Resource>(type: Change['type'], resource: Name, object: Resources[Name]): Resources[Name] {
    this.#version += 1;
    const metadata = { ...object.metadata, resourceVersion: String(this.#version) };
    const stored = { ...object, metadata };
    if (type === 'DELETED') this.#objects[resource].delete(metadata.name);
    else this.#objects[resource].set(metadata.name, stored);
    const change: Change = { type, resource, object: stored, version: this.#version };
    this.#changes.push(change);
    if (this.#changes.length > changesKept) this.#changes.shift();
    this.#events.emit('change', change);
    return stored;
  }
}

/** Returns the present time in the form of the API: whole seconds. */
export function timestamp(): string {
  return new Date().toISOString().replace(/\.\d+/, '');
}
