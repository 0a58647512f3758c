import type { Socket } from 'node:net';
import { type SeenRequest, StrictRequests } from './engines/strict-requests.js';
import { withTcp } from './toy-backend.js';

/** One connection of the proxy to the backend. */
export interface RecordedConnection {
  readonly socket: Socket;
  readonly strict: StrictRequests;
  /** Every byte that arrived. */
  bytes: string;
  readonly closed: Promise<void>;
}

/** Called when a request is complete. */
export type Answering = (request: SeenRequest, connection: RecordedConnection) => void;

export interface Recorder {
  readonly url: URL;
  readonly connections: RecordedConnection[];
  /** The requests of all connections, in the order of their completion. */
  readonly requests: SeenRequest[];
  /** Returns the requests that can be read in two ways. */
  problems(): string[];
}

/** Runs a backend that records the raw bytes of each connection. It answers every unambiguous request. */
export async function withRecorder(answering: Answering, use: (recorder: Recorder) => Promise<void>): Promise<void> {
  const connections: RecordedConnection[] = [];
  const requests: SeenRequest[] = [];
  const onSocket = (socket: Socket): void => {
    const closed = new Promise<void>(resolve => socket.on('close', () => resolve()));
    const connection: RecordedConnection = { socket, strict: new StrictRequests(), bytes: '', closed };
    connections.push(connection);
    socket.on('data', data => {
      const bytes = data.toString('latin1');
      connection.bytes += bytes;
      for (const request of connection.strict.feed(bytes)) {
        requests.push(request);
        answering(request, connection);
      }
      if (connection.strict.problem !== undefined) socket.destroy();
    });
    socket.on('end', () => socket.end());
  };
  await withTcp(onSocket, url =>
    use({
      url,
      connections,
      requests,
      problems: () => connections.flatMap(({ strict }) => strict.problem ?? []),
    }),
  );
}

/** Answers 200 with the request line as the body. */
export function answerOk(request: SeenRequest, { socket }: RecordedConnection): void {
  const body = `${request.method} ${request.target}`;
  socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${request.method === 'HEAD' ? '' : body}`);
}
