import type { z } from 'zod';

/** Looks into a file as it was written, of which anything may be wrong. */

/** What the schema makes of it, undefined where it is none. */
export function read<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> | undefined {
  return schema.safeParse(value).data;
}

export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function field(value: unknown, key: string): unknown {
  return isMap(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

export function listIn(file: unknown, key: string): readonly unknown[] {
  const written = field(file, key);
  return Array.isArray(written) ? written : [];
}
