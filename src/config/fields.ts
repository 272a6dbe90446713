/** Kinds of settings: text with its own parser, lists, times, paths and secrets. */
import { z } from 'zod';
import { type Parsed, refuse } from '../document/parsed.ts';
import { Secret } from '../secret.ts';
import { parseDuration } from './values.ts';

/** In seconds. */
export const minute = 60;
export const day = 86_400;

/** A text setting with its own parser, whose reason becomes the problem's message. */
export function setting<T>(parse: (text: string) => Parsed<T>) {
  return z.string().transform((text, context): T => take(parse(text), context));
}

/** The value, or an issue of the schema with what to write instead. */
export function take<T>(parsed: Parsed<T>, { issues }: z.core.$RefinementCtx): T {
  if (parsed.ok) return parsed.value;
  issues.push({ code: 'custom', input: undefined, message: parsed.message, params: { fix: parsed.fix } });
  return z.NEVER;
}

/** What may be left out, with the sentence that documents it. */
export function optional<T extends z.ZodType>(schema: T, sentence: string): z.ZodOptional<T> {
  return z.optional(schema.describe(sentence));
}

/** As seconds. */
export function duration(minSeconds: number, maxSeconds: number) {
  return z
    .string({ error: 'expected a duration with its unit, such as 30s, 15m, 6h or 30d' })
    .transform((text, context): number => take(parseDuration(text, { minSeconds, maxSeconds }), context));
}

/** YAML reads a bare 0 as a number. */
export function orZero(parser: z.ZodType<number, string>) {
  return z.union([z.literal(0), parser]);
}

/** Of a file or directory; which place a relative one starts at, the source knows. */
export const path = setting((text): Parsed<string> => {
  if (text === '') return refuse('the path is empty');
  return /[\u0000-\u001f]/.test(text) ? refuse('the path contains a control character') : { ok: true, value: text };
});

/** One text or a list of texts. */
export function listOf<T>(item: z.ZodType<T, string>, minEntries: number) {
  return z.union([
    item.transform((one): readonly T[] => [one]),
    z
      .array(item)
      .min(minEntries)
      .transform((all): readonly T[] => all),
  ]);
}

/** Text that is never shown; not even by a message about what is none. */
export function secret(validate: (text: string) => Parsed<unknown>) {
  const error = ({ input }: { readonly input?: unknown }): string =>
    typeof input === 'number' || typeof input === 'boolean'
      ? 'expected text: put it in quotes'
      : 'expected text in place of what stands here';
  return z.string({ error }).transform((text, context): Secret => {
    const parsed = validate(text);
    return take(parsed.ok ? { ok: true, value: new Secret(text) } : parsed, context);
  });
}

/** Variables and flags are text. */
export function orText(parser: z.ZodType<boolean, boolean>) {
  return z.union([parser, z.enum(['true', 'false']).transform((text) => text === 'true')]);
}

/** Of a section that says nothing when it holds nothing. */
export function isNotEmpty(section: object): boolean {
  return Object.keys(section).length > 0;
}
