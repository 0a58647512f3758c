import { messageOf } from '../../shared/error-message.js';
import { type Command, type CommandReply, paths, type SideName, type StoryReply, tokenHeader } from '../protocol.js';
import type { LabConnection, LabSource } from './lab-page.js';
import { LiveStream, type StreamReceiver } from './stream.js';

type Problems = CommandReply['problems'];

/** The lab that serves this page. Every request carries the token of the address. */
export class LabClient implements LabSource {
  readonly #token: string;

  constructor(token: string) {
    this.#token = token;
  }

  connect(to: StreamReceiver): LabConnection {
    return new LiveStream(this.#token, to);
  }

  /** Returns what could not be done, also when the lab does not answer. */
  async send(command: Command): Promise<Problems> {
    try {
      const response = await this.#fetch(paths.command, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(command),
      });
      const { problems }: CommandReply = await response.json();
      return problems;
    } catch (error) {
      return [{ problem: messageOf(error) }];
    }
  }

  async story(side: SideName, user: string): Promise<StoryReply> {
    const query = new URLSearchParams({ side, user });
    return (await this.#fetch(`${paths.story}?${query}`)).json();
  }

  /** Downloads one exported file. */
  async save(name: string): Promise<void> {
    const file = await (await this.#fetch(paths.export + name)).blob();
    const link = document.createElement('a');
    link.href = URL.createObjectURL(file);
    link.download = name;
    link.click();
    URL.revokeObjectURL(link.href);
  }

  async #fetch(path: string, options: RequestInit = {}): Promise<Response> {
    const headers = { ...options.headers, [tokenHeader]: this.#token };
    const response = await fetch(path, { ...options, headers, cache: 'no-store' }).catch(() => {
      throw new Error('The live lab does not answer. Look at the terminal in which it runs.');
    });
    if (!response.ok) throw new Error((await response.text()) || `The live lab answered with ${response.status}.`);
    return response;
  }
}
