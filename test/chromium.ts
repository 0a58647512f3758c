import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

/** The one without windows first: it is the same engine at half the CPU time. */
const usualPlaces = [
  '/usr/bin/chromium-headless-shell',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
];

const quiet = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** For `before`; whoever calls it closes the browser in `after`. */
export async function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumPath(), args: quiet });
}

function chromiumPath(): string {
  const wanted = process.env.CHROMIUM_PATH;
  const found = wanted === undefined ? usualPlaces.find(place => existsSync(place)) : wanted;
  if (found !== undefined && existsSync(found)) return found;
  throw new Error(
    `No Chromium at ${wanted ?? usualPlaces.join(', ')}. Install it (apt-get install chromium-headless-shell, brew install --cask chromium) or set CHROMIUM_PATH to one.`,
  );
}
