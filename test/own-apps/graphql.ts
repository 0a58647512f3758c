import { FileSessions } from './file-sessions.js';
import { fieldOf, type Said, serve } from './serve.js';

/**
 * An app that answers as GraphQL servers do: status 200 always, and what failed stands under `errors`. It refuses every
 * ninth add, as a shop does that has run out of something. `DEFECT=drop-adds`: it acknowledges every fifth and drops it.
 */
const sessions = new FileSessions(process.env.SESSIONS ?? '.');
let adds = 0;

function failed(code: string): Said {
  return { body: { data: null, errors: [{ message: code.toLowerCase(), extensions: { code } }] } };
}

function addItem(id: string, sku: string): Said {
  adds += 1;
  if (adds % 9 === 0) return failed('OUT_OF_STOCK');
  if (process.env.DEFECT !== 'drop-adds' || adds % 5 !== 0) sessions.add(id, sku);
  return { body: { data: { addItem: { sku } } } };
}

serve(({ route, body, cookie }) => {
  if (route !== 'POST /graphql') return { status: 404, body: 'not here' };
  const [field = ''] = /\b(?:login|addItem|removeItem|cart|logout)\b/.exec(fieldOf(body, 'query')) ?? [];
  if (field === 'login') {
    const user = fieldOf(body, 'variables', 'user');
    if (fieldOf(body, 'variables', 'password') !== 'secret') return failed('BAD_CREDENTIALS');
    return { headers: { 'set-cookie': `sid=${sessions.open(user)}; Path=/` }, body: { data: { login: { user } } } };
  }
  const id = cookie('sid');
  const user = sessions.userOf(id);
  if (user === undefined) return failed('UNAUTHENTICATED');
  const sku = fieldOf(body, 'variables', 'sku');
  if (field === 'addItem') return addItem(id, sku);
  if (field === 'removeItem') sessions.remove(id, sku);
  if (field === 'logout') sessions.end(id);
  const cart = { user, items: sessions.items(id).map(item => ({ sku: item })) };
  return { body: { data: { [field]: field === 'logout' ? true : cart } } };
});
