import { createHmac, hkdfSync } from 'node:crypto';
import type { KeyRing } from '#src/key-ring.js';
import { cookieName, readCookie } from '#src/sessions/cookie.js';
import { send } from '../answer.js';
import { json } from '../reply.js';
import type { Defect, Listener } from './defect.js';
import { userSaidBy } from './lenient-jwt.js';

export const trustingJwt: Defect = {
  summary: 'GET /me believes a signed token: its header chooses algorithm and key, and no claim is looked at',
  listener: (next, keys) => (request, response) => {
    const { token } = readCookie(request.headers.cookie, cookieName(false));
    if (token === undefined || request.url !== '/me') next(request, response);
    else void believe(token, keys(), next, request, response);
  },
};

async function believe(token: string, ring: KeyRing, next: Listener, ...exchange: Parameters<Listener>): Promise<void> {
  const user = await userSaidBy(token, text => signed(ring, text)).catch(() => undefined);
  if (user === undefined) next(...exchange);
  else send(exchange[1], json(200, { user }));
}

function signed([newest]: KeyRing, text: string): string {
  const key = Buffer.from(hkdfSync('sha256', newest?.secret ?? '', '', 'holdfast:jwt:access', 32));
  return createHmac('sha256', key).update(text).digest('base64url');
}
