import { randomUUID } from 'node:crypto';
import { appendFileSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fieldOf, serve } from './serve.js';

/**
 * An app that keeps its carts: by account, in files of the folder CARTS, also after a logout and from run to run. It is
 * one process that runs already when the users come (`system.target`); it prints its address when it listens.
 */
const folder = process.env.CARTS ?? '.';
const users = new Map<string, string>();

function itemsOf(user: string): string[] {
  const removed = new Set(linesOf(user, 'removed'));
  return linesOf(user, 'added').filter(item => !removed.has(item));
}

function linesOf(user: string, what: string): string[] {
  try {
    return readFileSync(path.join(folder, `${user}.${what}`), 'utf8')
      .split('\n')
      .slice(0, -1);
  } catch {
    return [];
  }
}

serve(({ route, body, cookie }) => {
  if (route === 'POST /login') {
    const id = randomUUID();
    const user = fieldOf(body, 'user').replaceAll(/[^\w.-]/g, '');
    users.set(id, user);
    return { headers: { 'set-cookie': `sid=${id}; Path=/` }, body: { user } };
  }
  const user = users.get(cookie('sid'));
  if (user === undefined) return { status: 401, body: { error: 'log in' } };
  if (route === 'POST /cart') appendFileSync(path.join(folder, `${user}.added`), `${fieldOf(body, 'sku')}\n`);
  if (route === 'POST /remove') appendFileSync(path.join(folder, `${user}.removed`), `${fieldOf(body, 'sku')}\n`);
  if (route === 'POST /logout') users.delete(cookie('sid'));
  return { body: { user, items: itemsOf(user) } };
});
