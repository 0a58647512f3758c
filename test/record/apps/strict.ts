import { FileSessions } from '../../own-apps/file-sessions.js';
import { fieldOf, serve } from '../../own-apps/serve.js';

/**
 * A JSON API that refuses a write without the Origin of its own page, and fields of another type. The address of a new
 * cart stands only in a header, and a user has a number.
 */
const sessions = new FileSessions(process.env.SESSIONS ?? '.');

const page = `<!doctype html><title>Shop</title><main></main><script>
const main = document.querySelector('main');
const ask = (method, path, body) =>
  fetch(path, { method, headers: { 'content-type': 'application/json' }, body: body && JSON.stringify(body) });
async function show() {
  const me = await (await ask('GET', '/api/me')).json();
  if (me.error) {
    await ask('GET', '/api/carts/0');
    main.innerHTML = '<input id="user"><input id="password" type="password"><button id="in">Log in</button>';
    document.getElementById('in').onclick = async () => {
      const [user, password] = ['user', 'password'].map(id => document.getElementById(id).value);
      await ask('POST', '/api/login', { user, password });
      const made = await ask('POST', '/api/carts');
      sessionStorage.setItem('cart', made.headers.get('location'));
      show();
    };
    return;
  }
  const cart = sessionStorage.getItem('cart');
  const { lines } = await (await ask('GET', cart)).json();
  main.innerHTML = '<ul></ul><input id="sku"><button id="add">Add</button><button id="out">Log out</button>';
  for (const { title } of lines) {
    const line = document.createElement('li');
    line.textContent = title;
    document.querySelector('ul').append(line);
  }
  document.getElementById('add').onclick = async () => {
    const title = document.getElementById('sku').value;
    await ask('POST', cart + '/lines', { title, quantity: 1, gift: false, owner: me.id });
    show();
  };
  document.getElementById('out').onclick = async () => {
    await ask('POST', '/api/logout');
    show();
  };
}
show();
</script>`;

/** A number for each name, so that users do not share one. */
function numberOf(user: string): number {
  return [...user].reduce((sum, letter) => (sum * 31 + (letter.codePointAt(0) ?? 0)) % 1_000_003, 7_000);
}

serve(({ route, body, headers, cookie }) => {
  if (route === 'GET /') return { body: page };
  const isOwn = headers.origin === `http://${headers.host}`;
  if (!route.startsWith('GET ') && !isOwn) return { status: 403, body: { error: 'the origin is another one' } };
  if (route === 'POST /api/login') {
    if (fieldOf(body, 'password') !== 'secret') return { status: 401, body: { error: 'no' } };
    const id = sessions.open(fieldOf(body, 'user'));
    return { headers: { 'set-cookie': `sid=${id}; Path=/; HttpOnly` }, body: { ok: true } };
  }
  const sid = cookie('sid');
  const user = sessions.userOf(sid);
  if (user === undefined) return { status: 401, body: { error: 'log in' } };
  if (route === 'GET /api/me') return { body: { name: user, id: numberOf(user) } };
  if (route === 'POST /api/carts')
    return { status: 201, headers: { location: `/api/carts/${sessions.open(sid)}` }, body: {} };
  if (route === 'POST /api/logout') {
    sessions.end(sid);
    return { body: { ok: true }, headers: { 'set-cookie': 'sid=; Path=/; Max-Age=0' } };
  }
  const [, cart = '', more] = /^\w+ \/api\/carts\/([^/]+)(\/lines)?$/.exec(route) ?? [];
  if (sessions.userOf(cart) !== sid) return { status: 404, body: { error: 'no such cart' } };
  if (more === undefined)
    return { body: { owner: { name: user }, lines: sessions.items(cart).map(title => ({ title, quantity: 1 })) } };
  const { title, ...numbers } = JSON.parse(body);
  if (JSON.stringify(numbers) !== JSON.stringify({ quantity: 1, gift: false, owner: numberOf(user) }))
    return { status: 422, body: { error: `wrong types: ${JSON.stringify(numbers)}` } };
  sessions.add(cart, title);
  return { status: 201, body: { ok: true } };
});
