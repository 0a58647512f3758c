import type { IncomingMessage } from 'node:http';
import { normalizeAddress } from '../shared/addresses.js';

/**
 * The client that began a session. Only the list of the sessions of a user shows it. A client can send any text, so an
 * app must not decide by it.
 */
export interface SessionClient {
  /** Its address; at most 64 characters are kept. */
  readonly address?: string | undefined;
  /** Its `User-Agent` header; at most 256 characters are kept. */
  readonly userAgent?: string | undefined;
}

/** Returns the client of a request. Undefined: nothing is kept. */
export type DescribeClient = (request: IncomingMessage) => SessionClient | undefined;

const addressCharsMax = 64;
const userAgentCharsMax = 256;

/** Returns the address of the connection and the `User-Agent` header. */
export const describeClient: DescribeClient = ({ headers, socket }) => {
  const { remoteAddress } = socket;
  const address = remoteAddress === undefined ? undefined : normalizeAddress(remoteAddress);
  return { address, userAgent: headers['user-agent'] };
};

/** Returns the part of a client that is kept. Undefined: there is none. */
export function limitClient(client: SessionClient | undefined): SessionClient | undefined {
  const address = limitText(client?.address, addressCharsMax);
  const userAgent = limitText(client?.userAgent, userAgentCharsMax);
  if (address === undefined && userAgent === undefined) return undefined;
  return { ...(address === undefined ? {} : { address }), ...(userAgent === undefined ? {} : { userAgent }) };
}

function limitText(text: unknown, charsMax: number): string | undefined {
  return typeof text === 'string' && text !== '' ? text.slice(0, charsMax) : undefined;
}

/** Returns the text under which a store keeps a client: JSON in one line. Empty: there is none. */
export function clientText(client: SessionClient | undefined): string {
  return client === undefined ? '' : JSON.stringify(client);
}

/** Parses `clientText`. Undefined: there is none, or the text is foreign. */
export function parseClient(text: unknown): SessionClient | undefined {
  if (typeof text !== 'string' || text === '') return undefined;
  try {
    return limitClient(Object(JSON.parse(text)));
  } catch {
    return undefined;
  }
}
