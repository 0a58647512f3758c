import { parseDuration } from '#src/duration.js';
import type { ExpectedEffect } from '#src/simulator/history/records.js';
import type { FaultSpec } from '#src/simulator/scenario/scenario.js';
import { endsOf, kindOf } from '#src/simulator/targets.js';
import type { ModelSystem } from './system.js';

/** What users must notice of a fault. `target` is resolved for the mode. */
export function effectOf({ do: fault, target, options = {} }: FaultSpec): ExpectedEffect {
  const [from = target, to = target] = endsOf(target) ?? [];
  const isLinkToBackend = kindOf(from) === 'proxy' && endsOf(target) !== undefined;
  switch (fault) {
    case 'scale-out':
    case 'clock-skew':
      return { kind: 'answered', member: target };
    case 'slow':
      return { kind: 'slow', member: to, atLeastMs: msOf(options.latency) - msOf(options.jitter) };
    case 'throttle':
      return { kind: 'slow', member: to };
    case 'block':
      return { kind: 'slow', member: target, atLeastMs: msOf(options.stall) / 2 };
    case 'errors':
      return { kind: 'broken', member: target };
    case 'reset':
    case 'truncate':
      return { kind: 'broken', member: to };
    case 'rotate-secrets':
    case 'replace-secrets':
      return { kind: 'keys' };
    case 'exec':
      return { kind: 'confirm-changed' };
    case 'cut-link':
      if (isLinkToBackend) return { kind: 'silent', member: to, link: from };
      return kindOf(from) === 'store' ? { kind: 'link-bytes', link: target } : { kind: 'asked', store: to, from };
    default:
      return kindOf(target) === 'store' ? { kind: 'asked', store: target } : { kind: 'silent', member: target };
  }
}

/** The counter that an effect names, as it stands now; undefined where the history alone shows the effect. */
export function meterOf(effect: ExpectedEffect, target: string, system: ModelSystem): (() => number) | undefined {
  switch (effect.kind) {
    case 'broken':
      return () => system.links.find(target)?.brokenAnswers ?? 0;
    case 'asked':
      return () => system.store?.member(effect.store).asked ?? 0;
    case 'link-bytes':
      return () => (system.store?.missedBytes(target) ?? 0) + (system.links.find(target)?.lostBytes ?? 0);
    default:
      return undefined;
  }
}

function msOf(value: unknown): number {
  return parseDuration(String(value ?? '0ms')) ?? 0;
}
