import type { PhaseName } from '../history/records.js';

export type FaultEvent = 'injected' | 'confirmed' | 'not-confirmed' | 'healed' | 'not-healed' | 'never-struck';

/** The events that a run reports while it goes on. The command line draws them; tests collect them. */
export type Progress =
  | { readonly kind: 'starting'; readonly mode: string; readonly members: readonly string[] }
  | { readonly kind: 'phase'; readonly mode: string; readonly phase: PhaseName; readonly lastsMs: number }
  | {
      readonly kind: 'fault';
      readonly mode: string;
      readonly id: string;
      readonly what: FaultEvent;
    }
  | {
      readonly kind: 'tick';
      readonly mode: string;
      readonly atMs: number;
      readonly totalMs: number;
      readonly requests: number;
      readonly problems: number;
    };

export type OnProgress = (progress: Progress) => void;
