import { Document, isCollection, isMap, visit } from 'yaml';
import type { ModeName } from '../../modes.js';
import { clean } from './yaml.js';

/** The commented scenario for an own app: as `holdfast init` writes it to be filled in, or with what is known of the app. */

export interface StarterApp {
  readonly mode: ModeName;
  /** The content of `system`. Undefined: it is not known how the app is started. */
  readonly system?: StartedApp | { readonly target: string } | undefined;
  /** Existing accounts. Undefined: the app accepts any name. */
  readonly names?: string | readonly string[] | undefined;
  /** The content of `users.journey`. */
  readonly journey: object;
  /** Comments above the journey. */
  readonly notes: readonly string[];
}

export interface StartedApp {
  readonly command: string;
  readonly directory?: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly ready: { readonly http: string; readonly within: string };
}

interface Parts {
  readonly mode: string;
  readonly system: string;
  readonly arrivals: string;
  readonly names: string;
  readonly notes: string;
  readonly journey: string;
  readonly faults: string;
  readonly expectations: string;
}

const exampleSystem = `  backends:
    count: 3
    command: node server.js              # run by sh -c, in the folder of this file, once for each backend
    # directory: ../app                  # another folder to run it in
    env:                                 # {port}, {name}, {run-dir}, {store}, {redis}, {memcached}, {postgres}
      PORT: "{port}"                     # it must listen on 127.0.0.1 at this port
      REDIS_URL: "{redis}"               # such as redis://127.0.0.1:23456; its parts: {redis.host}, {redis.port}
      # UPLOADS: "{run-dir}"             # a new folder for each run, shared by all backends
    ready: { http: /health, within: 10s }  # a path that answers 200 without a login; also the proxy's health check
  proxy: { health: { every: 250ms, timeout: 500ms, fall: 2, rise: 1 } }
  # For a system that runs already, instead of backends and proxy (break it with "do: exec"):
  # target: http://127.0.0.1:8080
  # With kubectl port-forward, forward the ingress: a tunnel to a pod or a service ends with its pod.
`;
const exampleArrivals = '  arrivals: { rate: 20/s, for: 1500ms }  # some thirty users, each with their own browser\n';
const exampleNames =
  '  # names: "shopper{n}@example.com"      # existing accounts of the app: a pattern, or a list of names\n';
const exampleJourney = `    login:
      request: { POST: /login, json: { user: "{user}", password: secret } }   # form: for a form
      ok: { status: 200 }                # or { status: 302, redirect-to: /home }; redirects are not followed
      # To check the body: ok: { body: /welcome/i }, or ok: { path: $.errors, absent: true } for GraphQL
    add:
      request: { POST: /cart, json: { sku: "{token}" } }
      ok: { status: 201 }
    read:
      request: { GET: /cart }
      ok: { status: 200 }
      items: "$.items[*].sku"            # in a page: { regexp: 'data-sku="([^"]+)"' }
      who: $.user                        # the user in the answer; in a page: { regexp: '<b id="user">([^<]+)</b>' }
    # remove:                            # leave out steps that the app does not have
    #   request: { DELETE: "/cart/{token}" }
    # whoami:
    #   request: { GET: /me }
    #   who: $.user
    logout:
      request: { POST: /logout }
    # How the app answers without a login. Every given condition must hold:
    anonymous: { status: 401 }           # or { redirect-to: /login }, or { body: /Please log in/ }
    # A hidden form field (CSRF), or a token from an answer, that a later request must send as {csrf}:
    # carry:
    #   csrf: { regexp: 'name="_csrf" value="([^"]+)"' }     # or { cookie: XSRF-TOKEN }
    #   access: { path: $.access_token, from: login }        # headers: { authorization: "Bearer {access}" }
    #   cart: { header: location, regexp: "/carts/([^/]+)" } # of an answer such as 201 with Location: /carts/17
    # To fetch the page first, add to the step:  before: { GET: /login }
`;
const killed = '  - { id: kill, at: 500ms, do: kill, target: backend-2, for: 1s }\n';

/** It needs the name of the user in an answer. */
const swapped = '    - users.identitySwapped == 0\n';

/** The scenario that `holdfast init` writes. It is complete, and its comments say what to fill in. */
export const starterScenario = joinParts({
  mode: 'redis',
  system: exampleSystem,
  arrivals: exampleArrivals,
  names: exampleNames,
  notes: '',
  journey: exampleJourney,
  faults: `faults:\n${killed}`,
  expectations: swapped,
});

/** Returns the text of the scenario with what is known of an app. Pure. */
export function writeStarter({ mode, system, names, journey, notes }: StarterApp): string {
  const isTarget = system !== undefined && 'target' in system;
  return joinParts({
    mode,
    system: system === undefined ? exampleSystem : formatSystem(system),
    arrivals: Array.isArray(names) ? formatArrivals(names.length) : exampleArrivals,
    names: names === undefined ? exampleNames : formatNames(names),
    notes: notes.map(note => `  # ${clean(note)}\n`).join(''),
    journey: indent(formatYaml(journey, 1), 4),
    expectations: Object.values(journey).some(step => Object.hasOwn(Object(step), 'who')) ? swapped : '',
    faults: isTarget
      ? 'faults: []                               # what breaks the system, such as:\n'
      : `faults:\n${killed}`,
  });
}

function formatSystem(system: StartedApp | { readonly target: string }): string {
  if ('target' in system) return indent(formatYaml(system, 0), 2);
  const { env, ...start } = system;
  const hasEnv = Object.keys(env).length > 0;
  const backends = { count: 3, ...start, ...(hasEnv ? { env } : {}) };
  const proxy = { health: { every: '250ms', timeout: '500ms', fall: 2, rise: 1 } };
  return indent(formatYaml({ backends, proxy }, 1), 2);
}

function formatArrivals(count: number): string {
  return `  # More names below let more users come: raise max-active with them.\n  arrivals: { rate: 20/s, for: 1500ms, max-active: ${count} }\n`;
}

function formatNames(names: string | readonly string[]): string {
  const comment =
    typeof names === 'string'
      ? '  # Accounts of the app. {n} is 1, 2, 3 and so on, one for each user that comes.\n'
      : '';
  return comment + indent(formatYaml({ names }, 0), 2);
}

/** Longest map on one line, without its indentation. */
const inlineWidth = 90;

/** Formats plain data as YAML. A map that holds maps is a block down to this depth, and deeper if its line is too long. */
function formatYaml(value: object, depthMax: number): string {
  const document = new Document(value, { aliasDuplicateObjects: false });
  visit(document, {
    Collection(_key, node, ancestors) {
      const depth = ancestors.filter(isCollection).length;
      const holdsMaps = isMap(node) && node.items.some(({ value: each }) => isMap(each));
      const isLong = JSON.stringify(node).length > inlineWidth;
      if (depth === 0 || (holdsMaps && (depth <= depthMax || isLong))) return undefined;
      node.flow = true;
      return visit.SKIP;
    },
  });
  return document.toString({ lineWidth: 110, flowCollectionPadding: true });
}

function indent(text: string, spaces: number): string {
  return text.replaceAll(/^(?=.)/gm, ' '.repeat(spaces));
}

function joinParts({ mode, system, arrivals, names, notes, journey, faults, expectations }: Parts): string {
  return `# What happens to the sessions of this app when one of its processes dies?
#   holdfast check <this file>     tries each step of the journey below once, and says what does not fit
#   holdfast run <this file>       starts everything, breaks it, and counts the users logged out and the writes lost
name: my-app
why: One of three processes of my app dies and comes back; no user may be logged out, and nothing may be lost.
seed: 42

# How requests are routed, and which store is started (its address is {store}):
#   sticky                      each browser stays with one process; no store
#   redis, memcached, postgres  any process serves any user; a new store for each run
modes: [${mode}]

system:
${system}
users:
${arrivals}  think: { median: 300ms, p95: 1s }      # between two steps of one user
  timeout: 3s
${names}  # mix: { add: 3, read: 2, logout: 1 }  # relative frequency of each action of a logged-in user
  # tabs: 3                              # now and then a user adds in three tabs at once, then reads
  # slow-at-logout: 200ms                # at every logout another tab has an add in progress
  # cookie: sid                          # the session cookie: detects a login that keeps the old session id

  # The simulated users are called user-1, user-2, ... (or as names says): they must be able to log in.
  # {user} is the current user. {token} is the item to add or remove: reads must return this text.
  # A request has one of GET, POST, PUT, PATCH, DELETE, and optionally form:, json:, query: or headers:.
  # In headers, {origin} is the address of the app. In json, "{id:number}" sends a carried value as a number.
${notes}  journey:
${journey}
phases: { warmup: 500ms, baseline: 2s, faults: 3s, recovery: 2s, quiesce: 300ms }

${faults}  # - { id: pod, at: 500ms, do: exec, inject: kubectl delete pod app-1, confirm: "! kubectl get pod app-1", for: 1s }

expect:
  any:
    - users.loggedOut == 0
${expectations}    - writes.lost == 0
    - writes.phantom == 0
    - requests.failed < 2 %
`;
}
