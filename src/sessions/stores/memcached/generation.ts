import { randomBytes } from 'node:crypto';
import * as questions from './questions.js';
import type { Server } from './server.js';

/**
 * The present generation of sessions: a random word in each server. Each session stores the word, and a read compares
 * the two. A new word ends all sessions; `flush_all` would also delete the items of other applications.
 *
 * If the word is lost, all sessions end. Otherwise ended sessions could come back. The word is read with every session,
 * so it is the last item that memcached would evict.
 */
export const generationKey = 'holdfast:generation';
const shape = /^[\w-]{12}$/;

/** Returns the present generation. Makes one if there is none. */
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
