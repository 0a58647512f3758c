import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { deletePod } from './deployment-controller.js';
import type { Change, ObjectStore } from './object-store.js';
import { isResource, kinds, matchesFields, matchesLabels, type Resource, type Resources } from './objects.js';
import { applyPatch } from './patch.js';

/** One rule of a role, as in `rules:` of the Kubernetes object `Role`. */
export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

type Verb = 'get' | 'list' | 'watch' | 'patch' | 'delete';

interface Call {
  readonly verb: Verb;
  readonly resource: Resource;
  readonly name: string | undefined;
  readonly query: URLSearchParams;
}

/** A refusal, in the form of the API: an object `Status`. */
class Failure extends Error {
  constructor(
    readonly code: number,
    readonly reason: string,
    message: string,
  ) {
    super(message);
  }
}

const noted = {
  pods: ['delete', 'get', 'list', 'watch'],
  replicasets: ['get', 'list', 'watch'],
  deployments: ['get', 'list', 'patch', 'watch'],
} as const;

/**
 * Serves the part of the Kubernetes API that kubectl needs to read, change and watch pods and deployments. Its client
 * may do what `rules` allow, and nothing else. `requests` gets one line for each request.
 */
export function createApiServer(store: ObjectStore, rules: readonly Rule[], requests: string[]): Server {
  return createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    answer(store, rules, request, response).catch(error => refuse(response, error));
  });
}

async function answer(
  store: ObjectStore,
  rules: readonly Rule[],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://api');
  const discovered = discover(url.pathname);
  if (discovered !== undefined) return send(response, 200, discovered);
  const call = readCall(store, request.method ?? 'GET', url);
  assertAllowed(rules, call);
  switch (call.verb) {
    case 'list':
      return send(response, 200, listObjects(store, call));
    case 'watch':
      return watchObjects(store, call, response);
    case 'get':
      return send(response, 200, withKind(call.resource, find(store, call)));
    case 'patch':
      return send(response, 200, await patchObject(store, call, request));
    case 'delete':
      return send(response, 200, await deleteObject(store, call, request));
  }
}

/** Returns the answer of the discovery, from which kubectl learns the resources. */
function discover(path: string): unknown {
  if (path === '/version') return { major: '1', minor: '32', gitVersion: 'v1.32.0' };
  if (path === '/api') return { kind: 'APIVersions', versions: ['v1'] };
  const version = { groupVersion: 'apps/v1', version: 'v1' };
  const group = { name: 'apps', versions: [version], preferredVersion: version };
  if (path === '/apis') return { kind: 'APIGroupList', apiVersion: 'v1', groups: [group] };
  if (path === '/api/v1') return listResources('', 'v1');
  if (path === '/apis/apps/v1') return listResources('apps', 'apps/v1');
  return undefined;
}

function listResources(group: string, groupVersion: string): unknown {
  const names = Object.keys(kinds).filter(isResource);
  const resources = names
    .filter(name => kinds[name].group === group)
    .map(name => {
      const { kind, singular, shortNames } = kinds[name];
      return { name, kind, singularName: singular, shortNames, namespaced: true, verbs: noted[name] };
    });
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion, resources };
}

function readCall(store: ObjectStore, method: string, url: URL): Call {
  const form = /^\/(?:api\/v1|apis\/(apps)\/v1)\/namespaces\/([^/]+)\/([^/]+)(?:\/([^/]+))?$/;
  const [, group = '', namespace, resource = '', name] = form.exec(url.pathname) ?? [];
  if (!isResource(resource) || kinds[resource].group !== group || namespace !== store.namespace)
    throw new Failure(404, 'NotFound', 'the server could not find the requested resource');
  const query = url.searchParams;
  const reading = name !== undefined ? 'get' : /^(1|true)$/.test(query.get('watch') ?? '') ? 'watch' : 'list';
  const verbs: Readonly<Record<string, Verb>> = { GET: reading, PATCH: 'patch', DELETE: 'delete' };
  const verb = verbs[method];
  if (verb === undefined || (name === undefined && method !== 'GET'))
    throw new Failure(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource');
  return { verb, resource, name, query };
}

function assertAllowed(rules: readonly Rule[], { verb, resource }: Call): void {
  const { group } = kinds[resource];
  const isAllowed = rules.some(
    ({ apiGroups, resources, verbs }) =>
      apiGroups.includes(group) && resources.includes(resource) && verbs.includes(verb),
  );
  if (isAllowed) return;
  const what = `cannot ${verb} resource "${resource}" in API group "${group}" in the namespace "default"`;
  throw new Failure(403, 'Forbidden', `${resource} is forbidden: User "holdfast" ${what}`);
}

function find<Name extends Resource>(store: ObjectStore, call: Call & { readonly resource: Name }): Resources[Name] {
  const found = call.name === undefined ? undefined : store.get(call.resource, call.name);
  if (found !== undefined) return found;
  throw new Failure(404, 'NotFound', `${groupedName(call.resource)} "${call.name}" not found`);
}

function groupedName(resource: Resource): string {
  const { group } = kinds[resource];
  return group === '' ? resource : `${resource}.${group}`;
}

function isSelected({ query }: Call, object: Resources[Resource]): boolean {
  return (
    matchesLabels(query.get('labelSelector') ?? '', object.metadata.labels) &&
    matchesFields(query.get('fieldSelector') ?? '', object)
  );
}

function listObjects(store: ObjectStore, call: Call): unknown {
  const { apiVersion, kind } = kinds[call.resource];
  const items = store.list(call.resource).filter(object => isSelected(call, object));
  const metadata = { resourceVersion: String(store.version) };
  return { kind: `${kind}List`, apiVersion, metadata, items: items.map(item => withKind(call.resource, item)) };
}

function withKind(resource: Resource, object: Resources[Resource]): unknown {
  const { apiVersion, kind } = kinds[resource];
  return { apiVersion, kind, ...object };
}

/** Sends each change as one line, until the client leaves or its time is over. The last one may be a deletion. */
function watchObjects(store: ObjectStore, call: Call, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.flushHeaders();
  const write = ({ type, resource, object }: Change) => {
    if (resource !== call.resource || !isSelected(call, object)) return;
    response.write(`${JSON.stringify({ type, object: withKind(resource, object) })}\n`);
  };
  const stop = store.watch(Number(call.query.get('resourceVersion') ?? store.version), write);
  const timer = setTimeout(() => response.end(), Number(call.query.get('timeoutSeconds') ?? 300) * 1_000);
  response.once('close', () => {
    clearTimeout(timer);
    stop();
  });
}

async function patchObject(store: ObjectStore, call: Call, request: IncomingMessage): Promise<unknown> {
  const object = find(store, call);
  const changed = applyPatch(request.headers['content-type'] ?? '', object, await json(request));
  store.update(call.resource, changed as Resources[Resource]);
  return withKind(call.resource, find(store, call));
}

async function deleteObject(store: ObjectStore, call: Call, request: IncomingMessage): Promise<unknown> {
  const pod = find(store, { ...call, resource: 'pods' });
  const options = Object(await json(request).catch(() => undefined));
  deletePod(store, pod, options.gracePeriodSeconds);
  return withKind('pods', store.get('pods', pod.metadata.name) ?? pod);
}

function refuse(response: ServerResponse, error: unknown): void {
  const { code, reason, message } =
    error instanceof Failure ? error : new Failure(500, 'InternalError', String(error instanceof Error && error.stack));
  send(response, code, { kind: 'Status', apiVersion: 'v1', status: 'Failure', message, reason, code });
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
