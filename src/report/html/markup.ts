/** Escaped text for the page. Only `markup` and `trustMarkup` make it, so no text enters the page unescaped by mistake. */
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

/** Makes HTML or SVG from a template. It escapes every value that is not markup already, and joins lists. */
export function markup(strings: TemplateStringsArray, ...values: readonly Content[]): Markup {
  return new Markup(strings.reduce((page, next, index) => page + renderContent(values[index - 1] ?? '') + next));
}

/** Marks text as safe: the style sheet, the script and escaped JSON. Never use it for text from a history. */
export function trustMarkup(text: string): Markup {
  return new Markup(text);
}

function renderContent(content: Content): string {
  if (content instanceof Markup) return content.toString();
  if (typeof content === 'object') return content.map(renderContent).join('');
  return `${content}`.replace(/[&<>"']/g, found => entities[found] ?? found);
}

/**
 * Renders JSON for a script element. The text cannot close the element or open a comment, and has no line separators.
 */
export function embeddedJson(value: unknown): Markup {
  const text = JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    found => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return trustMarkup(text);
}
