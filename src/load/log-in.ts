const toyPassword = 'secret';

/** Logs `count` users into the toy shop and puts one thing into each cart; answers with their Cookie headers. */
export async function logIn(origin: string, count: number): Promise<string[]> {
  const users = Array.from({ length: count }, (_, index) => `load-${index + 1}`);
  return Promise.all(users.map(user => logInOne(origin, user)));
}

async function logInOne(origin: string, user: string): Promise<string> {
  const login = await post(`${origin}/login`, { user, password: toyPassword });
  const cookie = login.headers
    .getSetCookie()
    .map(line => line.split(';')[0])
    .join('; ');
  await post(`${origin}/cart`, { sku: 'load-1' }, { cookie });
  return cookie;
}

async function post(url: string, body: object, headers: Record<string, string> = {}): Promise<Response> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(5000),
  });
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`POST ${url} answered ${response.status} before the load; expected 2xx.`);
  return response;
}
