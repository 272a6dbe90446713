/** What the configuration of an image says of it (OCI image-spec, "Image JSON"; docker's is the same). Hostile until shown. */
import { field, parseJson } from '../distribution/json.ts';
import type { ConfigFacts } from '../ports.ts';
import { boundedText, boundingTogether, listOf, textOf, textsOf } from './bounded.ts';

export interface ImageConfig {
  readonly facts: ConfigFacts;
  /** `linux/arm64/v8`. */
  readonly platform: string | undefined;
}

const maxHistory = 500;

/** Of a config of any content: undefined for what is no object. */
export function readConfig(content: Buffer): ImageConfig | undefined {
  const value = parseJson(content);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const own = field(value, 'config');
  const bounded = boundingTogether();
  return {
    platform: platformOf(value),
    facts: {
      created: textOf(field(value, 'created')),
      user: textOf(field(own, 'User')) || undefined,
      entrypoint: stringsOf(field(own, 'Entrypoint')),
      command: stringsOf(field(own, 'Cmd')),
      ports: Object.keys(objectOf(field(own, 'ExposedPorts')) ?? {})
        .slice(0, 100)
        .map(boundingTogether()),
      labels: textsOf(field(own, 'Labels')),
      history: listOf(field(value, 'history'), maxHistory).map((step) => ({
        createdBy: bounded(textIn(step, 'created_by')),
        isEmpty: field(step, 'empty_layer') === true,
      })),
    },
  };
}

/** As docker writes it, of a config or of the `platform` of a descriptor; undefined where it says nothing. */
export function platformOf(value: unknown): string | undefined {
  const parts = ['os', 'architecture', 'variant'].map((name) => textOf(field(value, name)) ?? '');
  const [os = '', architecture = '', variant = ''] = parts;
  if (os === '' || architecture === '') return undefined;
  return boundedText([os, architecture, variant].filter((part) => part !== '').join('/'));
}

/** One string is a list of one, as shells have it. */
function stringsOf(value: unknown): readonly string[] {
  const list = typeof value === 'string' ? [value] : listOf(value, 100);
  return list.filter((each) => typeof each === 'string').map(boundingTogether());
}

function textIn(value: unknown, name: string): string {
  const text = field(value, name);
  return typeof text === 'string' ? text : '';
}

function objectOf(value: unknown): object | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
}
