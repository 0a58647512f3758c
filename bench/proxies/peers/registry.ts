import { engines } from '#src/proxy/engines/registry.js';
import type { FindPeer } from '../peer.js';
import { caddy } from './caddy.js';
import { haproxy } from './haproxy.js';
import { holdfast } from './holdfast.js';
import { nginx } from './nginx.js';
import { script } from './script.js';

const ownEngines = Object.keys(engines).map(name => [`holdfast ${name}`, () => holdfast(name)] as const);

/** The keys are the values of `--peers`. */
export const peers: Readonly<Record<string, FindPeer>> = {
  haproxy,
  nginx,
  caddy,
  'bare-relay': () => script('relay'),
  'http-proxy': () => script('http-proxy', 'http-proxy'),
  httpxy: () => script('httpxy', 'httpxy'),
  '@fastify/http-proxy': () => script('fastify', '@fastify/http-proxy'),
  ...Object.fromEntries(ownEngines),
};
