import { randomBytes } from 'node:crypto';
import * as questions from './questions.js';
import type { Server } from './server.js';

/**
 * Which generation of sessions is in force: a random word, which every session carries and which is read together with
 * it. A new word ends the sessions of everyone; `flush_all` would end what others keep in the same memcached too. When
 * the word is lost all sessions are: rather that than that ended ones come back. It is read with every session, so it is
 * the last thing that memcached would evict.
 */
export const generationKey = 'holdfast:generation';
const shape = /^[\w-]{12}$/;

/** The one in force; makes the first one. */
export async function generationOf(server: Server, untilMs: number): Promise<string> {
  for (;;) {
    const { items } = await server.ask('reads', questions.gets(generationKey), untilMs);
    const { text, cas = '' } = items.get(generationKey) ?? {};
    if (text !== undefined && shape.test(text)) return text;
    const [key, fresh] = [generationKey, newGeneration()];
    const question = text === undefined ? questions.add(key, fresh) : questions.swap(key, fresh, questions.never, cas);
    await server.ask('writes', question, untilMs);
  }
}

export async function beginGeneration(server: Server): Promise<void> {
  await server.ask('writes', questions.put(generationKey, newGeneration()), server.untilMs());
}

function newGeneration(): string {
  return randomBytes(9).toString('base64url');
}
