import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ProxyEvent } from '../options.js';

export const listenersMax = 32;
const heartbeatMs = 15_000;
/** A listener with this much unread data is disconnected; it may reconnect. */
const waitingBytesMax = 64 * 1024;

/** Server-sent events: each `ProxyEvent` goes to every listener as `event: <kind>` with one line of JSON. */
export class EventStream {
  readonly #subscribe: (listener: (event: ProxyEvent) => void) => () => void;
  readonly #listeners = new Map<ServerResponse, () => void>();

  constructor(subscribe: (listener: (event: ProxyEvent) => void) => () => void) {
    this.#subscribe = subscribe;
  }

  /** Adds a listener. Returns false, and writes nothing, when there are too many. */
  open(request: IncomingMessage, response: ServerResponse): boolean {
    if (this.#listeners.size >= listenersMax) return false;
    // Without this the first event would wait for the acknowledgement of the head; events are rare.
    request.socket.setNoDelay(true);
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.write(': holdfast events\n\n');
    const unsubscribe = this.#subscribe(event => this.#send(response, format(event)));
    const heartbeat = setInterval(() => this.#send(response, ':\n\n'), heartbeatMs).unref();
    this.#listeners.set(response, () => {
      clearInterval(heartbeat);
      unsubscribe();
    });
    response.on('close', () => this.#leave(response));
    return true;
  }

  close(): void {
    for (const response of [...this.#listeners.keys()]) {
      this.#leave(response);
      response.end();
    }
  }

  #send(response: ServerResponse, text: string): void {
    if (response.writableLength <= waitingBytesMax) {
      response.write(text);
      return;
    }
    this.#leave(response);
    response.destroy();
  }

  #leave(response: ServerResponse): void {
    this.#listeners.get(response)?.();
    this.#listeners.delete(response);
  }
}

function format(event: ProxyEvent): string {
  return `event: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`;
}
