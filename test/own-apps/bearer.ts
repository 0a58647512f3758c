import { FileSessions } from './file-sessions.js';
import { fieldOf, serve } from './serve.js';

/**
 * An app that sets no cookie: its login answers with a bearer token, and its cart names nobody. `DEFECT=keep-token`: a
 * logout does not revoke the token.
 */
const sessions = new FileSessions(process.env.SESSIONS ?? '.');

serve(({ route, body, headers, url }) => {
  if (route === 'POST /api/login') {
    if (fieldOf(body, 'password') !== 'secret') return { status: 401, body: { error: 'no' } };
    return { body: { access_token: sessions.open(fieldOf(body, 'user')) } };
  }
  const id = (headers.authorization ?? '').replace(/^Bearer /, '');
  if (sessions.userOf(id) === undefined) return { status: 401, body: { error: 'no token' } };
  const item = url.pathname.split('/')[3] ?? '';
  if (route.startsWith('PUT /api/cart/')) sessions.add(id, decodeURIComponent(item));
  if (route.startsWith('DELETE /api/cart/')) sessions.remove(id, decodeURIComponent(item));
  if (route === 'POST /api/logout' && process.env.DEFECT !== 'keep-token') sessions.end(id);
  return { body: { items: sessions.items(id) } };
});
