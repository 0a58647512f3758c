import { request } from 'undici';

export interface Answer {
  readonly status: number;
  /** Undefined when the body is no JSON. */
  readonly json: unknown;
}

/**
 * One small request to a process of the lab, on a connection of its own, answered completely within `withinMs` or
 * rejected. A connection kept for later would hold up the graceful end of that process.
 */
export async function ask(method: 'GET' | 'PUT', url: string, withinMs: number, body?: unknown): Promise<Answer> {
  const response = await request(url, {
    method,
    reset: true,
    signal: AbortSignal.timeout(withinMs),
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json; charset=utf-8' } }),
  });
  return { status: response.statusCode, json: parsed(await response.body.text()) };
}

/** Whether GET of this address is answered with 200 within the time. */
export async function answersOk(url: string, withinMs: number): Promise<boolean> {
  try {
    return (await ask('GET', url, withinMs)).status === 200;
  } catch {
    return false;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
