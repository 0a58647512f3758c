import type { IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

/** The API of every server of bench/sessions.ts: POST /login, GET /cart, POST /cart {sku, waitMs}, POST /logout,
 * GET /health. */

export type Cart = Record<string, number>;

/** Adds one item. The load uses five skus, so that a cart does not grow without limit. */
export function putInto(cart: Cart, sku: string): Cart {
  return { ...cart, [sku]: (cart[sku] ?? 0) + 1 };
}

/** The time that an add waits for something else, between the read and the write of the session. */
export async function waitFor(waitMs = 0): Promise<void> {
  if (waitMs > 0) await delay(waitMs);
}

/** The body of a POST. */
export interface Body {
  readonly user?: string;
  readonly sku?: string;
  readonly waitMs?: number;
}

/** Reads the body for a server without a framework, by its events, as Express and Fastify do. `node:stream/consumers`
 * costs several µs more, and this is no part of what is measured. A body that is not JSON counts as empty. */
export function readBody(request: IncomingMessage): Promise<Body> {
  return new Promise((resolve, reject) => {
    let text = '';
    request.setEncoding('utf8');
    request.on('data', (part: string) => {
      text += part;
    });
    request.on('end', () => resolve(parseBody(text)));
    request.on('error', reject);
  });
}

function parseBody(text: string): Body {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}

export function listen(start: (port: number) => unknown): void {
  start(Number(process.env.PORT));
  process.once('SIGTERM', () => process.exit(0));
}
