import { FileSessions } from './file-sessions.js';
import { type Said, serve } from './serve.js';

/**
 * An app whose pages always answer 200: only their text says whether a user is logged in. Visitors have a session
 * from the login page on; a login gives another id. Accounts are shopper1@example.com and so on.
 * `DEFECT=keep-id`: the login keeps the id of the visitor.
 */
const sessions = new FileSessions(process.env.SESSIONS ?? '.');
const loginPage =
  '<h1>Please log in</h1><form method="post"><input name="user"><input type="password" name="password">';

function cartPage(id: string): Said {
  const items = sessions.items(id).map(item => `<li>${item}</li>`);
  return { body: `<h1>Cart</h1>\n<b id="user">${sessions.userOf(id)}</b>\n<ul>\n${items.join('\n')}\n</ul>` };
}

serve(({ route, body, cookie }) => {
  const id = cookie('sid');
  const form = new URLSearchParams(body);
  const user = sessions.userOf(id);
  if (route === 'GET /login')
    return {
      ...(user === undefined && { headers: { 'set-cookie': `sid=${sessions.open()}; Path=/` } }),
      body: loginPage,
    };
  if (route === 'POST /login') {
    const name = form.get('user') ?? '';
    if (!/^shopper\d+@example\.com$/.test(name) || form.get('password') !== 'secret') return { body: loginPage };
    const isKept = process.env.DEFECT === 'keep-id' && user !== undefined;
    const own = isKept ? id : sessions.open(name);
    if (isKept) sessions.enter(id, name);
    return { headers: { 'set-cookie': `sid=${own}; Path=/` }, body: '<h1>Welcome</h1>' };
  }
  if (user === undefined || user === '') return { body: loginPage };
  if (route === 'POST /cart') sessions.add(id, form.get('sku') ?? '');
  if (route === 'POST /cart/remove') sessions.remove(id, form.get('sku') ?? '');
  if (route !== 'POST /logout') return cartPage(id);
  sessions.end(id);
  return { headers: { 'set-cookie': 'sid=; Path=/; Max-Age=0' }, body: '<h1>Good bye</h1>' };
});
