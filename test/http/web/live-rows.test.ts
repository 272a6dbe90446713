/** Rows that page.js adds are those that the server draws, whatever text is in the records. */
import { readFileSync } from 'node:fs';
import { runInNewContext } from 'node:vm';
import { renderToString } from 'preact-render-to-string';
import { expect, test } from 'vitest';
import { ActivityPage } from '../../../src/http/web/pages/activity.tsx';
import type { ActivityRecord } from '../../../src/operations/answers.ts';
import { frameFor } from '../../support/frame.ts';

/** As much of a document as the script takes. */
class Element {
  readonly children: (Element | string)[] = [];
  readonly attributes = new Map<string, string>();
  readonly dataset: Record<string, string> = {};
  readonly rows: readonly never[] = [];
  readonly name: string;
  className = '';
  title = '';
  dateTime = '';
  href = '';

  constructor(name: string) {
    this.name = name;
  }

  set textContent(text: string) {
    this.children.splice(0, Infinity, text);
  }

  setAttribute(name: string, value: string): void {
    this.attributes.set(name, value);
  }

  append(...more: (Element | string)[]): void {
    this.children.push(...more);
  }

  prepend(...more: (Element | string)[]): void {
    this.children.unshift(...more);
  }
}

/** Elements with their attributes in order, and texts that are not empty. */
function told(element: Element): readonly unknown[] {
  const { name, attributes, className, title, dateTime, href, children } = element;
  const own = { ...Object.fromEntries(attributes), class: className, title, datetime: dateTime, href };
  const given = Object.entries(own).filter(([, value]) => value !== '');
  const inside = children.flatMap((child) => (typeof child === 'string' ? [child] : told(child)));
  return [[name, given.sort()], ...inside, `/${name}`];
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"' };
const decoded = (text: string): string =>
  text.replaceAll(/&(amp|lt|gt|quot);/g, (_, name: string) => entities[name] ?? '');

function parsed(html: string): readonly unknown[] {
  return [...html.matchAll(/<(\/?)(\w+)((?:\s+[\w-]+(?:="[^"]*")?)*)\s*>|([^<]+)/g)].map(
    ([, close, name = '', attributes = '', text]) => {
      if (text !== undefined) return decoded(text);
      if (close === '/') return `/${name}`;
      const given = [...attributes.matchAll(/([\w-]+)(?:="([^"]*)")?/g)];
      const pairs = given.map(([, key = '', value = '']) => [key, decoded(value)] as const);
      return [name, pairs.filter(([, value]) => value !== '').sort()];
    },
  );
}

/** Neighbouring texts are one. */
function joined(tokens: readonly unknown[]): readonly unknown[] {
  const out: unknown[] = [];
  for (const token of tokens) {
    const before = out.at(-1);
    const isText = (one: unknown): one is string => typeof one === 'string' && !/^\/[a-z]+$/.test(one);
    if (isText(token) && isText(before)) out[out.length - 1] = before + token;
    else if (token !== '') out.push(token);
  }
  return out;
}

const now = Date.now();
const texts = [
  'plain',
  '',
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  'invoice\u202egpj.exe',
  '\u0000\u001b[31m\u2066\u2028\ufeff',
  'a'.repeat(300),
  'docker/29.1.0 go/go1.25',
  'Mozilla/5.0 (X11; Linux x86_64) Firefox/133.0',
  'Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/131.0 Safari/537.36 Edg/131.0',
];
const records: readonly ActivityRecord[] = texts.flatMap((text, at) => [
  {
    ...{ number: 1000 - 2 * at, time: new Date(now - at * 1000 * 3_605).toISOString(), event: 'access' },
    ...{ decision: (['allow', 'deny', 'error'] as const)[at % 3] ?? 'allow', reason: text, rule: text },
    ...{ account: text, kind: at % 2 === 0 ? 'user' : 'robot', action: 'pull', repository: 'a/b', reference: text },
    ...{
      address: text,
      userAgent: text,
      explain: { as: 'user:dana', action: 'pull', repository: 'a/b', tag: text || undefined },
    },
  },
  { number: 999 - 2 * at, time: new Date(now - 90_000).toISOString(), event: 'login', decision: 'deny', reason: text },
]);

test('with hostile, long, empty and missing texts alike', async () => {
  let tick: (() => Promise<void>) | undefined;
  const live = new Element('tbody');
  const answer = { of: 'this gateway' as const, records: [...records] };
  const asked = { rest: '', query: new URLSearchParams() };
  const html = renderToString(ActivityPage({ answer, frame: { ...frameFor('dana'), now }, asked }));
  const [, attributes = '', drawn = ''] = /<tbody([^>]*)>(.*)<\/tbody>/s.exec(html) ?? [];
  for (const [, name = '', value = ''] of attributes.matchAll(/data-(\w+)="([^"]*)"/g))
    live.dataset[name] = decoded(value);
  const document = {
    visibilityState: 'visible',
    createElement: (name: string) => new Element(name),
    querySelector: (what: string) => (what === '[data-live]' ? live : new Element('main')),
    querySelectorAll: () => [],
  };
  const fetch = () =>
    Promise.resolve({ ok: true, json: () => Promise.resolve(JSON.parse(JSON.stringify({ records })) as unknown) });
  const setInterval = (task: () => Promise<void>) => void (tick = task);
  const script = readFileSync(new URL('../../../src/assets/page.js', import.meta.url), 'utf8');
  runInNewContext(script, { document, fetch, setInterval, URLSearchParams });
  await tick?.();
  const rows = drawn.split('</tr>').slice(0, -1);
  expect(live.children.length).toBe(records.length);
  for (const [at, row] of live.children.entries())
    expect(joined(told(row as Element)), `row ${at}`).toEqual(joined(parsed(`${rows[at] ?? ''}</tr>`)));
});
