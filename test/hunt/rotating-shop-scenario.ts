import path from 'node:path';

const program = path.join(import.meta.dirname, 'programs/rotating-shop.js');

/** A scenario for the shop with the planted defect. Its own kill comes before any session is old enough to rotate. */
export const rotatingShop = `name: rotating-shop
why: A backend is killed. Sessions are in Redis, so no user is logged out.
seed: 42
modes: [redis]
system:
  backends:
    count: 3
    command: '"${process.execPath}" "${program}"'
    env: { PORT: "{port}", REDIS_URL: "{redis}" }
    ready: { http: /health, within: 10s }
  proxy: { health: { every: 150ms, timeout: 300ms, fall: 2, rise: 1 } }
users:
  arrivals: { rate: 12/s, for: 800ms, process: uniform }
  think: { median: 250ms, p95: 500ms }
  mix: { add: 3, read: 2 }
  timeout: 2s
  cookie: sid
  journey:
    login: { request: { POST: /login, json: { user: "{user}" } } }
    add: { request: { POST: /cart, json: { sku: "{token}" } } }
    read: { request: { GET: /cart }, items: "$.items[*]", who: $.user }
    anonymous: { status: 401 }
phases: { warmup: 100ms, baseline: 800ms, faults: 2500ms, recovery: 800ms, quiesce: 200ms }
faults:
  - { id: kill, at: 100ms, do: kill, target: backend-2, for: 500ms }
expect:
  any:
    - users.identitySwapped == 0
    - users.loggedOut == 0
    - writes.lost == 0
    - requests.failed < 20 %
`;
