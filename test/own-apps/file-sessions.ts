import { randomUUID } from 'node:crypto';
import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/**
 * Sessions in a folder that all copies of an app share: one file with the user, one with the cart. Every write is one
 * system call, so that neither a killed process nor two at once lose anything.
 */
export class FileSessions {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Returns the id of a new session; without a user it belongs to a visitor who has not logged in. */
  open(user = ''): string {
    const id = randomUUID();
    this.enter(id, user);
    return id;
  }

  /** Makes a session that is there already one of this user. */
  enter(id: string, user: string): void {
    writeFileSync(this.#file(id, 'user'), user);
    writeFileSync(this.#file(id, 'cart'), '');
  }

  /** Undefined when there is no such session, empty for a visitor. */
  userOf(id: string): string | undefined {
    return this.#read(id, 'user');
  }

  add(id: string, item: string): void {
    appendFileSync(this.#file(id, 'cart'), `+${item}\n`);
  }

  remove(id: string, item: string): void {
    appendFileSync(this.#file(id, 'cart'), `-${item}\n`);
  }

  items(id: string): string[] {
    const items: string[] = [];
    for (const line of (this.#read(id, 'cart') ?? '').split('\n')) {
      if (line.startsWith('+')) items.push(line.slice(1));
      if (line.startsWith('-') && items.includes(line.slice(1))) items.splice(items.indexOf(line.slice(1)), 1);
    }
    return items;
  }

  end(id: string): void {
    rmSync(this.#file(id, 'user'), { force: true });
  }

  #read(id: string, what: string): string | undefined {
    if (!/^[\da-f-]{36}$/.test(id)) return undefined;
    try {
      return readFileSync(this.#file(id, what), 'utf8');
    } catch {
      return undefined;
    }
  }

  #file(id: string, what: string): string {
    return path.join(this.#folder, `${id}.${what}`);
  }
}
