import { type HostMap, mapServedHosts } from '../hosts.js';
import type { ProxyOptions } from '../options.js';
import type { ListeningSocket, OpenSockets, SocketName } from '../restart/takeover.js';
import { formatOrigin } from '../sockets/listen.js';
import { type AdminControl, startAdmin } from './admin.js';
import { startHealthListener } from './health-listener.js';
import { type RunningRedirect, startRedirect } from './redirect.js';
import type { SmallListener } from './small-server.js';

/** After a handover, requests that are on their way to this process are still answered for this time. */
const lingerMs = 2_000;

/** The listeners beside the one for traffic: the admin API, the answers for probes, the redirects to `https:`. */
export class SideListeners {
  readonly #options: () => ProxyOptions;
  #admin: SmallListener | undefined;
  #health: SmallListener | undefined;
  #redirect: RunningRedirect | undefined;

  constructor(options: () => ProxyOptions) {
    this.#options = options;
  }

  get adminUrl(): string | undefined {
    return this.#admin?.url;
  }

  get healthUrl(): string | undefined {
    return this.#health?.url;
  }

  get redirectUrl(): string | undefined {
    return this.#redirect && formatOrigin('http', { host: this.#options().host, port: this.#redirect.port });
  }

  /**
   * Rejects with the system's error. The admin API comes last: a Unix socket takes the place of the predecessor's, which
   * must not happen if the start fails.
   */
  async start(control: AdminControl, sockets: OpenSockets): Promise<void> {
    const { admin, healthListen, redirect, host } = this.#options();
    if (healthListen !== undefined)
      this.#health = await startHealthListener(healthListen, control, {
        open: await sockets.take('health', healthListen),
      });
    if (redirect !== undefined) {
      const served = (): HostMap<true> => mapServedHosts(this.#options());
      const options = { ...redirect, host };
      this.#redirect = await startRedirect(options, served, await sockets.take('redirect', options));
    }
    if (admin === undefined) return;
    const taken =
      'path' in admin
        ? { mayReplace: await sockets.mayReplace('admin', admin.path) }
        : { open: await sockets.take('admin', admin) };
    this.#admin = await startAdmin(admin, control, taken);
  }

  /** Returns the server to hand over, with its configured address. */
  socketOf(name: Exclude<SocketName, 'traffic'>): ListeningSocket | undefined {
    const { host, admin, healthListen, redirect } = this.#options();
    if (name === 'redirect')
      return redirect && this.#redirect && { server: this.#redirect.server, address: { host, port: redirect.port } };
    const [listener, address] = name === 'admin' ? [this.#admin, admin] : [this.#health, healthListen];
    if (listener === undefined || address === undefined) return undefined;
    const { server } = listener;
    // The token is not handed over.
    if ('path' in address) return { server, address: { path: address.path } };
    return { server, address: { host: address.host, port: address.port } };
  }

  /** Closes the listeners slowly: a successor listens on the same sockets. */
  async handOver(): Promise<void> {
    await Promise.all([this.#admin?.close(lingerMs), this.#health?.close(lingerMs)]);
  }

  async closeRedirect(graceMs: number): Promise<void> {
    await this.#redirect?.close(graceMs);
  }

  async close(): Promise<void> {
    await Promise.all([this.#admin?.close(), this.#health?.close()]);
  }
}
