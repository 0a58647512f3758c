import { FileSessions } from '../../own-apps/file-sessions.js';
import { fieldOf, serve } from '../../own-apps/serve.js';

/**
 * A JSON API with bearer tokens, and the page that uses it. The page reports each click, asks for news all the time, and
 * shows the cart only after a further GET.
 */
const sessions = new FileSessions(process.env.SESSIONS ?? '.');

const page = `<!doctype html><title>Shop</title><main></main><script>
const main = document.querySelector('main');
const ask = async (method, path, body) => {
  const token = localStorage.getItem('token');
  const headers = { 'content-type': 'application/json', ...(token && { authorization: 'Bearer ' + token }) };
  const answer = await fetch('/api' + path, { method, headers, body: body && JSON.stringify(body) });
  return answer.ok ? answer.json() : undefined;
};
const report = what => fetch('/events', { method: 'POST', body: JSON.stringify({ what, at: Date.now() }) });
async function show() {
  const cart = await ask('GET', '/cart');
  if (!cart) {
    main.innerHTML = '<input id="user"><input id="password" type="password"><button id="in">Log in</button>';
    document.getElementById('in').onclick = async () => {
      const [user, password] = ['user', 'password'].map(id => document.getElementById(id).value);
      const { data } = await ask('POST', '/login', { user, password });
      localStorage.setItem('token', data.accessToken);
      await ask('GET', '/me');
      show();
    };
    return;
  }
  main.innerHTML = '<p id="who"></p><ul></ul><input id="sku"><button id="add">Add</button><button id="out">Log out</button>';
  document.getElementById('who').textContent = cart.owner.name;
  for (const { product } of cart.lines) {
    const line = document.createElement('li');
    line.textContent = product.title;
    document.querySelector('ul').append(line);
  }
  document.getElementById('add').onclick = async () => {
    await ask('POST', '/cart/lines', { product: { title: document.getElementById('sku').value }, count: 1 });
    report('add');
    show();
  };
  document.getElementById('out').onclick = async () => {
    await ask('DELETE', '/login');
    localStorage.removeItem('token');
    show();
  };
}
setInterval(() => fetch('/news'), 200);
show();
</script>`;

serve(({ route, body, headers }) => {
  if (route === 'GET /') return { body: page };
  if (route === 'GET /news' || route === 'POST /events') return { body: { news: [] } };
  if (route === 'POST /api/login') {
    if (fieldOf(body, 'password') !== 'secret') return { status: 401, body: { error: 'no' } };
    return { status: 201, body: { data: { accessToken: sessions.open(fieldOf(body, 'user')), expiresIn: 3600 } } };
  }
  const id = (headers.authorization ?? '').replace(/^Bearer /, '');
  const user = sessions.userOf(id);
  if (user === undefined) return { status: 401, body: { error: 'log in' } };
  if (route === 'GET /api/me') return { body: { name: user, roles: ['customer'] } };
  if (route === 'POST /api/cart/lines') {
    sessions.add(id, fieldOf(body, 'product', 'title'));
    return { status: 201, body: { saved: true } };
  }
  if (route === 'DELETE /api/login') {
    sessions.end(id);
    return { body: { bye: true } };
  }
  const lines = sessions.items(id).map(title => ({ product: { title }, count: 1 }));
  return route === 'GET /api/cart'
    ? { body: { owner: { name: user }, lines } }
    : { status: 404, body: { error: 'no' } };
});
