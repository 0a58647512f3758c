import type { WrittenJourney } from '../../simulator/scenario/journey/journey.js';
import { isPlaceholder } from '../../simulator/scenario/journey/mapping.js';
import { isSafe, type Part, type RecordedCall, splitPath } from './call.js';
import { mapLeaves } from './json-leaves.js';

export type WrittenRequest = WrittenJourney['login']['request'];

/** The value that a scenario file writes for a part of a request. Undefined leaves the part out. */
export type Templates = ReadonlyMap<string, string | undefined>;

/** Writes a request as a scenario file does. A part whose template equals its value stays as it was sent. */
export function writeRequest(call: RecordedCall, templates: Templates): WrittenRequest {
  const parts = call.parts.map(part => ({ ...part, template: templates.get(part.key) }));
  const fields = (at: Part['at']) => {
    const kept = parts.flatMap((part): [string, string][] =>
      part.at !== at || part.template === undefined ? [] : [[part.name, part.template]],
    );
    return kept.length === 0 ? undefined : Object.fromEntries(kept);
  };
  const type = call.body === 'multipart' ? { 'content-type': 'multipart/form-data' } : {};
  const form = fields('form');
  // An app that compares the address of the page with its own refuses a write without it.
  const origin = call.hasOwnOrigin && !isSafe(call) ? { origin: '{origin}' } : {};
  const headers = { ...type, ...origin, ...fields('header') };
  return {
    [call.method]: writePath(call, parts),
    ...(form === undefined ? {} : { form }),
    ...(call.body === 'json' ? { json: writeJson(call, templates) } : {}),
    ...(Object.keys(headers).length === 0 ? {} : { headers }),
  };
}

type Templated = Part & { readonly template: string | undefined };

function writePath({ path }: RecordedCall, parts: readonly Templated[]): string {
  const { segments, fields } = splitPath(path);
  const inPath = parts.filter(({ at }) => at === 'path');
  const inQuery = parts.filter(({ at }) => at === 'query');
  const plain = segments.map((raw, i) => writeRaw(raw, inPath[i], ''));
  const query = fields.flatMap((raw, i) => {
    const part = inQuery[i];
    return part?.template === undefined ? [] : [writeRaw(raw, part, `${encodeURIComponent(part.name)}=`)];
  });
  return `/${plain.join('/')}${query.length === 0 ? '' : `?${query.join('&')}`}`;
}

function writeRaw(raw: string, part: Templated | undefined, name: string): string {
  if (part?.template === undefined || part.template === part.value) return raw;
  const texts = part.template.split(/(\{[^{}]*\})/);
  return name + texts.map(text => (isPlaceholder(text) ? text : encodeURIComponent(text))).join('');
}

function writeJson({ json }: RecordedCall, templates: Templates): unknown {
  return mapLeaves(json, (path, value) => {
    if (!templates.has(path)) return value;
    const template = templates.get(path);
    return template === String(value) ? value : template;
  });
}
