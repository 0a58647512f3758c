import { writeFile } from 'node:fs/promises';
import type { CommandModule } from 'yargs';
import { commandLine } from '../shared/program-name.js';
import { UsageError } from './lib/errors.js';
import { exitCodes, toHandler } from './lib/exit.js';

interface InitArgs {
  /** Empty when the user typed "-": yargs reads that as an option without a value. */
  readonly file: string | undefined;
}

const fileByDefault = 'holdfast.yaml';

export const init: CommandModule<object, InitArgs> = {
  command: 'init [file]',
  describe: 'write a commented scenario for your own app; asks nothing, overwrites nothing',
  builder: yargs =>
    yargs
      .positional('file', {
        type: 'string',
        defaultDescription: fileByDefault,
        describe: 'where it is written; "-" prints it',
      })
      .example('$0 init tests/failover.yaml', 'then fill it in, and: $0 check tests/failover.yaml'),
  handler: toHandler(writeStarter),
};

async function writeStarter({ file = fileByDefault }: InitArgs): Promise<number> {
  if (file === '' || file === '-') {
    process.stdout.write(starterScenario);
    return exitCodes.ok;
  }
  try {
    await writeFile(file, starterScenario, { flag: 'wx' });
  } catch (error) {
    throw refusal(file, error);
  }
  process.stdout.write(`${file} is written: fill in how to start and call your app, then type
  ${commandLine('check', file)}     (each step once; says what does not fit)
  ${commandLine('run', file)}       (breaks things, and counts what is lost)
`);
  return exitCodes.ok;
}

function refusal(file: string, error: unknown): Error {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EEXIST')
    return new UsageError(
      `"${file}" exists already and is not overwritten. Try another name: ${commandLine('init', otherName(file))}`,
    );
  if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR' || code === 'EACCES')
    return new UsageError(`"${file}" cannot be written (${code}): expected a file in an existing folder.`);
  return error instanceof Error ? error : new Error(String(error));
}

function otherName(file: string): string {
  return file.replace(/(\.ya?ml)?$/, '-2$1').replace(/-2$/, '-2.yaml');
}

/** The scenario that `holdfast init` writes. It is complete, and its comments say what to fill in. */
export const starterScenario = `# What happens to the sessions of this app when one of its processes dies?
#   holdfast check <this file>     tries each step of the journey below once, and says what does not fit
#   holdfast run <this file>       starts everything, breaks it, and counts the users logged out and the writes lost
name: my-app
why: One of three processes of my app dies and comes back; no user may be logged out, and nothing may be lost.
seed: 42

# How requests are routed, and which store is started (its address is {store}):
#   sticky                      each browser stays with one process; no store
#   redis, memcached, postgres  any process serves any user; a new store for each run
modes: [redis]

system:
  backends:
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

users:
  arrivals: { rate: 20/s, for: 1500ms }  # some thirty users, each with their own browser
  think: { median: 300ms, p95: 1s }      # between two steps of one user
  timeout: 3s
  # names: "shopper{n}@example.com"      # existing accounts of the app: a pattern, or a list of names
  # mix: { add: 3, read: 2, logout: 1 }  # relative frequency of each action of a logged-in user
  # tabs: 3                              # now and then a user adds in three tabs at once, then reads
  # slow-at-logout: 200ms                # at every logout another tab has an add in progress
  # cookie: sid                          # the session cookie: detects a login that keeps the old session id

  # The simulated users are called user-1, user-2, ... (or as names says): they must be able to log in.
  # {user} is the current user. {token} is the item to add or remove: reads must return this text.
  # A request has one of GET, POST, PUT, PATCH, DELETE, and optionally form:, json:, query: or headers:.
  journey:
    login:
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
    # To fetch the page first, add to the step:  before: { GET: /login }

phases: { warmup: 500ms, baseline: 2s, faults: 3s, recovery: 2s, quiesce: 300ms }

faults:
  - { id: kill, at: 500ms, do: kill, target: backend-2, for: 1s }
  # - { id: pod, at: 500ms, do: exec, inject: kubectl delete pod app-1, confirm: "! kubectl get pod app-1", for: 1s }

expect:
  any:
    - users.loggedOut == 0
    - users.identitySwapped == 0
    - writes.lost == 0
    - writes.phantom == 0
    - requests.failed < 2 %
`;
