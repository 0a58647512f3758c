import type { ServerResponse } from 'node:http';

export interface HeadHooks {
  /** Called once, before the head is sent. Returns undefined if there is nothing to wait for. */
  settle(): Promise<void> | undefined;
  /** Called right before the head is sent. */
  addHeaders(): void;
  /** Called if `settle` rejects. Sends another response. */
  replace(error: unknown): void;
}

type Method = 'writeHead' | 'write' | 'end' | 'flushHeaders';

/**
 * Holds back the head of a response until the session is committed:
 *
 * first call that would send the head -> nothing to wait for: add the headers, send
 *                                     -> else: keep the calls -> committed: add the headers, carry out the calls
 *                                                             -> failed: drop the calls, send the failure
 *
 * `write` returns false meanwhile, and `drain` follows, so a stream that is piped into the response waits.
 */
export function holdHead(response: ServerResponse, hooks: HeadHooks): void {
  let state: 'open' | 'waiting' | 'sent' | 'replaced' = 'open';
  const drainListeners: (() => void)[] = [];
  const kept: { readonly method: Method; readonly call: () => unknown }[] = [];

  function begin(): void {
    const pending = hooks.settle();
    if (pending === undefined) release();
    else {
      state = 'waiting';
      pending.then(release).catch(replace);
    }
  }

  function release(): void {
    // Set first. Otherwise an error of `addHeaders` would hold back the error page too.
    state = 'sent';
    hooks.addHeaders();
    for (const { call } of kept) call();
    if (kept.some(({ method }) => method === 'write') && !response.writableNeedDrain) resumeWriters();
  }

  /** A compressing middleware that came before gives the listeners of `drain` to its own stream, which has nothing to
   * drain. So they are called here. */
  function resumeWriters(): void {
    const own = response.rawListeners('drain');
    response.emit('drain');
    for (const listener of new Set(drainListeners)) if (!own.includes(listener)) listener();
  }

  function replace(error: unknown): void {
    state = 'sent';
    if (!response.headersSent) removeContentHeaders(response);
    hooks.replace(error);
    state = 'replaced';
  }

  function gate(method: Method, call: () => unknown): unknown {
    if (state === 'open') begin();
    if (state === 'sent') return call();
    const isEnded = kept.at(-1)?.method === 'end';
    // A middleware that sees no head yet begins it once more.
    const isRepeated = method === 'writeHead' && kept.some(each => each.method === method);
    if (state === 'waiting' && !isEnded && !isRepeated) kept.push({ method, call });
    return method === 'write' ? false : response;
  }

  function hold(method: Method): (...given: unknown[]) => unknown {
    const original: (...args: never[]) => unknown = response[method];
    return (...given) => {
      const args = method === 'writeHead' && !response.headersSent ? applyHead(response, given) : given;
      return gate(method, () => Reflect.apply(original, response, args));
    };
  }

  const addListener: (...args: never[]) => unknown = response.on;
  const on = (name: string, listener: () => void) => {
    if (name === 'drain' && state !== 'sent') drainListeners.push(listener);
    return Reflect.apply(addListener, response, [name, listener]);
  };

  Object.assign(response, {
    on,
    writeHead: hold('writeHead'),
    write: hold('write'),
    end: hold('end'),
    flushHeaders: hold('flushHeaders'),
  });
}

/** Sets the headers that were given to `writeHead`, so that they cannot replace our own. Returns the other arguments. */
function applyHead(response: ServerResponse, [status, second, third]: readonly unknown[]): unknown[] {
  const reason = typeof second === 'string' ? [second] : [];
  const headers = third ?? (reason.length === 0 ? second : undefined);
  if (typeof status === 'number') response.statusCode = status;
  if (Array.isArray(headers)) setPairs(response, headers);
  else if (typeof headers === 'object' && headers !== null) {
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) response.setHeader(name, value);
  }
  return [status, ...reason];
}

/** Sets headers from `[name, value, name, value]`. A name that occurs twice has two values. */
function setPairs(response: ServerResponse, pairs: readonly string[]): void {
  const flat = pairs.flat();
  for (let at = 0; at < flat.length; at += 2) response.removeHeader(flat[at] ?? '');
  for (let at = 0; at < flat.length; at += 2) response.appendHeader(flat[at] ?? '', flat[at + 1] ?? '');
}

/** Removes the headers that belong to the content which is not sent. */
function removeContentHeaders(response: ServerResponse): void {
  const belonging =
    /^(?:content-(?!security)|transfer-encoding$|trailer$|etag$|last-modified$|location$|accept-ranges$|set-cookie$)/;
  for (const name of response.getHeaderNames()) if (belonging.test(name)) response.removeHeader(name);
}
