import type { Reporter } from '../reporter.js';
import { outputsOf, renderOutputs } from '../step-outputs.js';

/** Renders the worst verdict and the sums over all runs, as outputs of a step of GitHub Actions. */
export const outputs: Reporter = runs => renderOutputs(outputsOf(runs));
