/** The frame that pages are drawn in, for tests of the pages themselves. */
import type { VNode } from 'preact';
import { renderToString } from 'preact-render-to-string';
import type { Frame } from '../../src/http/web/page.ts';
import { now } from './shelf.ts';

/** Of a known account at a registry with a real name. */
export function frameFor(name: string): Frame {
  const isKnown = name !== '';
  return {
    viewer: { name, isKnown, mayInspect: false, mayInspectAll: false, mayAdminister: false },
    ...{ host: 'registry.example.com', publicUrl: 'https://registry.example.com', now, at: '/ui/', canLogIn: true },
    isFromOwnPage: true,
    ...{ version: '1.0.0', revision: '9f3c1e07ab2d', csrf: () => 'token' },
    assets: { 'page.css': '/ui/assets/page.css', 'page.js': '/ui/assets/page.js', 'icon.svg': '/ui/assets/icon.svg' },
  };
}

export interface Markup {
  /** Every element with the names of its attributes, in their order. */
  readonly elements: readonly string[];
  /** Values of attributes that lead somewhere. */
  readonly links: readonly string[];
  readonly text: string;
}

const element = /<(\/?[a-z][a-z0-9]*)((?: [a-zA-Z-]+(?:="[^"<]*")?)*)\/?>/g;

/** Read as strictly as our own pages are written: throws where a `<` is left that begins no element. */
export function markupOf(view: VNode): Markup {
  // Where a line may break is no element that says anything.
  const html = renderToString(view).replaceAll('<wbr/>', '');
  const text = html.replace(element, ' ');
  if (text.includes('<')) throw new Error(`no markup of ours: ${/.{0,80}<.{0,80}/s.exec(text)?.[0] ?? ''}`);
  const elements = [...html.matchAll(element)].map(
    ([, name = '', attributes = '']) => `${name}${attributes.replace(/="[^"]*"/g, '')}`,
  );
  const links = [...html.matchAll(/ (?:href|src|action)="([^"]*)"/g)].map(([, link = '']) => link);
  return { elements, links, text };
}
