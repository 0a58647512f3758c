import type { RawExchange } from './exchange.js';
import { headerValues } from './framing.js';

/** Returns the lifetimes in seconds of the cookies that the proxy has set. */
export function lifetimesOf(exchange: Pick<RawExchange, 'answer'>): number[] {
  return headerValues(exchange.answer?.head ?? [], 'set-cookie')
    .filter(line => !line.startsWith('app='))
    .flatMap(line => {
      const age = /;\s*max-age=(\d+)/i.exec(line)?.[1];
      const date = /;\s*expires=([^;]+)/i.exec(line)?.[1];
      const now = headerValues(exchange.answer?.head ?? [], 'date')[0];
      if (age !== undefined) return [Number(age)];
      if (date === undefined || now === undefined) return [];
      return [Math.round((Date.parse(date) - Date.parse(now)) / 1_000)];
    });
}
