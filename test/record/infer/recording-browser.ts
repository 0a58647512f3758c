import { CookieJar } from 'tough-cookie';
import { request } from 'undici';
import type { RecordedExchange } from '#src/record/recording.js';

type Fields = Readonly<Record<string, string>>;

interface Sent {
  readonly method?: string;
  readonly headers?: Fields;
  readonly body?: string;
}

/**
 * A small browser that records what it sends. It keeps cookies, follows redirects, and submits forms of the page that it
 * shows, with their hidden fields.
 */
export class RecordingBrowser {
  readonly exchanges: RecordedExchange[] = [];
  readonly #origin: string;
  readonly #jar = new CookieJar();
  #body = '';

  constructor(origin: string) {
    this.#origin = origin;
  }

  get origin(): string {
    return this.#origin;
  }

  /** The body of the page that it shows. */
  get body(): string {
    return this.#body;
  }

  cookie(name: string): string | undefined {
    return this.#jar.getCookiesSync(this.#origin).find(({ key }) => key === name)?.value;
  }

  async visit(path: string): Promise<void> {
    this.#body = await this.#follow(path, {
      headers: { accept: 'text/html,application/xhtml+xml,*/*;q=0.8', 'sec-fetch-mode': 'navigate' },
    });
  }

  /** Submits the form of the page with this action, as the encoding of the form says. */
  async submit(action: string, typed: Fields): Promise<void> {
    const form = this.#body.split(/<form\b/).find(each => each.includes(`action="${action}"`)) ?? '';
    const hidden = [
      ...(form.split('</form>')[0]?.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g) ?? []),
    ];
    const fields = {
      ...Object.fromEntries(hidden.map(([, name = '', value = '']) => [name, decodeEntities(value)])),
      ...typed,
    };
    const isMultipart = /^[^>]*enctype="multipart/.test(form);
    const [type, body] = isMultipart
      ? encodeMultipart(fields)
      : ['application/x-www-form-urlencoded', new URLSearchParams(fields).toString()];
    this.#body = await this.#follow(action, {
      method: 'POST',
      headers: { 'content-type': type, accept: 'text/html,*/*;q=0.8', origin: this.#origin },
      body,
    });
  }

  /** Sends a request as a script of a page does. Returns the JSON of the answer. */
  async call(
    method: string,
    path: string,
    { json, form, headers = {} }: { readonly json?: unknown; readonly form?: Fields; readonly headers?: Fields } = {},
  ): Promise<Readonly<Record<string, string>>> {
    const type = json === undefined ? 'application/x-www-form-urlencoded' : 'application/json';
    const body = json === undefined ? new URLSearchParams(form).toString() : JSON.stringify(json);
    const typed: Fields = body === '' ? {} : { 'content-type': type };
    const text = await this.#follow(path, { method, headers: { accept: '*/*', ...typed, ...headers }, body });
    try {
      return JSON.parse(text);
    } catch {
      return {};
    }
  }

  async #follow(path: string, sent: Sent): Promise<string> {
    let said = await this.#send(path, sent);
    for (let hops = 0; hops < 5 && said.status >= 300 && said.status < 400; hops += 1) {
      const location = said.responseHeaders.find(([name]) => name === 'location')?.[1] ?? '/';
      const { pathname, search } = new URL(location, this.#origin + said.path);
      said = await this.#send(pathname + search, { headers: { accept: 'text/html,*/*;q=0.8' } });
    }
    return said.responseBody;
  }

  async #send(path: string, { method = 'GET', headers = {}, body = '' }: Sent): Promise<RecordedExchange> {
    const cookie = this.#jar.getCookieStringSync(this.#origin + path);
    const all = { host: 'app', 'user-agent': 'test', ...headers, ...(cookie === '' ? {} : { cookie }) };
    const reply = await request(this.#origin + path, {
      method: method as 'GET',
      headers: all,
      ...(body === '' ? {} : { body }),
    });
    const responseHeaders = Object.entries(reply.headers).flatMap(([name, value]) =>
      [value ?? []].flat().map((each): [string, string] => [name, each]),
    );
    for (const [name, value] of responseHeaders)
      if (name === 'set-cookie') this.#jar.setCookieSync(value, this.#origin + path);
    const exchange: RecordedExchange = {
      startedMs: this.exchanges.length * 10,
      method,
      path,
      requestHeaders: Object.entries(all),
      requestBody: body,
      status: reply.statusCode,
      responseHeaders,
      responseBody: await reply.body.text(),
    };
    this.exchanges.push(exchange);
    return exchange;
  }
}

function encodeMultipart(fields: Fields): [string, string] {
  const boundary = '----form7MA4YWxkTrZu0gW';
  const pieces = Object.entries(fields).map(
    ([name, value]) => `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  );
  return [`multipart/form-data; boundary=${boundary}`, `${pieces.join('')}--${boundary}--\r\n`];
}

function decodeEntities(text: string): string {
  return text.replaceAll(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code))).replaceAll('&amp;', '&');
}
