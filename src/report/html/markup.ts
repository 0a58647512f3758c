/** Text that may stand in the page as it is. Only `markup` and `trusted` make it, so nothing gets in unescaped by mistake. */
export class Markup {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  toString(): string {
    return this.#text;
  }
}

export type Content = Markup | string | number | readonly Content[];

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Template tag for HTML and SVG. Every value is escaped, unless it is markup already; lists are joined. */
export function markup(strings: TemplateStringsArray, ...values: readonly Content[]): Markup {
  return new Markup(strings.reduce((page, next, index) => page + shown(values[index - 1] ?? '') + next));
}

/** For the style sheet, the script and JSON that is escaped already: nothing that comes from a history. */
export function trusted(text: string): Markup {
  return new Markup(text);
}

function shown(content: Content): string {
  if (content instanceof Markup) return content.toString();
  if (typeof content === 'object') return content.map(shown).join('');
  return `${content}`.replace(/[&<>"']/g, found => entities[found] ?? found);
}

/** JSON for a script element: neither closes it, nor opens a comment in it, nor trips over a line separator. */
export function embeddedJson(value: unknown): Markup {
  const text = JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    found => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return trusted(text);
}
