import { randomBytes, randomUUID } from 'node:crypto';
import express from 'express';
import { decodeJwt, decodeProtectedHeader, jwtVerify, SignJWT } from 'jose';

/**
 * A shop with Express whose session is a signed token in a cookie. A logout puts the token on a list. Writes must be
 * JSON, which no form of another site can send. `DEFECT=alg-none`: a token says itself that it needs no signature.
 */
const { PORT = '0', DEFECT = '' } = process.env;
const secret = randomBytes(32);
const ended = new Set<unknown>();
const carts = new Map<string, string[]>();

async function openToken(token: string) {
  const isNone = DEFECT === 'alg-none' && /^none$/i.test(String(decodeProtectedHeader(token).alg));
  const claims = isNone ? decodeJwt(token) : (await jwtVerify(token, secret, { algorithms: ['HS256'] })).payload;
  return ended.has(claims.jti) ? undefined : { user: String(claims.sub), id: claims.jti };
}

const app = express();
app.get('/health', (_request, response) => {
  response.send('ok');
});
app.use(express.json());

app.post('/login', async (request, response) => {
  const old = await openToken(cookieOf(request.headers.cookie)).catch(() => undefined);
  if (old !== undefined) ended.add(old.id);
  if (request.body?.password !== 'secret') return response.status(401).json({});
  const made = new SignJWT({ sub: String(request.body.user), jti: randomUUID() });
  const token = await made.setProtectedHeader({ alg: 'HS256' }).setExpirationTime('10 minutes').sign(secret);
  return response.cookie('token', token, { httpOnly: true, sameSite: 'strict' }).json({});
});

app.use(async (request, response) => {
  const found = await openToken(cookieOf(request.headers.cookie)).catch(() => undefined);
  if (found === undefined) return response.status(401).json({});
  const cart = carts.get(found.user) ?? [];
  const route = `${request.method} ${request.path}`;
  if (route === 'POST /cart') carts.set(found.user, [...cart, String(request.body?.sku)]);
  if (route !== 'POST /logout') return response.json({ user: found.user, items: cart });
  ended.add(found.id);
  return response.clearCookie('token').json({});
});

function cookieOf(header = ''): string {
  return /(?:^|; )token=([^;]*)/.exec(header)?.[1] ?? '';
}

app.listen(Number(PORT), '127.0.0.1');
