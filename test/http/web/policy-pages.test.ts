/** The pages Access and Policy drawn with the worst text that they can be given. */
import { renderToString } from 'preact-render-to-string';
import { expect, test } from 'vitest';
import type { AccessAnswer } from '../../../src/operations/access-answers.ts';
import type { PolicyAnswer } from '../../../src/operations/policy-files.ts';
import type { Frame } from '../../../src/http/web/page.ts';
import { accessPage, policyPage, reloadForm } from '../../../src/http/web/policy-pages.tsx';

const frame = (may: boolean): Frame => ({
  viewer: { name: 'ada', isKnown: true, mayInspect: may, mayInspectAll: may, mayAdminister: may },
  host: 'registry.example.com',
  publicUrl: 'https://registry.example.com',
  now: 1_000_000,
  csrf: (path) => `token-for-${path}`,
  at: '/ui/access',
  isFromOwnPage: true,
  assets: { 'page.css': '/a.css', 'page.js': '/a.js', 'icon.svg': '/a.svg' },
  canLogIn: true,
  version: '1',
  revision: 'abc',
});

function accessOf(text: string): AccessAnswer {
  const rule = { name: 'a rule', effect: 'deny', place: { file: text, line: 3 } } as const;
  return {
    ...{
      repository: text,
      tag: text,
      about: 'everybody',
      viewer: text,
      actions: ['pull'],
      moreRows: 0,
      others: 2,
      ...{ moreRefusals: 3, lately: 'in the last hour' },
    },
    rows: [
      {
        asked: `group:${text}`,
        subjects: [`group:${text}`],
        people: [text],
        count: 9,
        from: [text],
        cells: [{ answer: 'yes', rule: text, note: text }],
      },
    ],
    explained: {
      ...{
        subject: text,
        action: 'pull',
        repository: text,
        tag: text,
        allowed: false,
        sentence: text,
        reason: text,
        notes: [text],
        rule,
      },
      ...{
        groups: [{ name: text, place: rule.place }],
        nearMisses: [{ rule, why: [text] }],
        moreMisses: 1,
        shadow: [rule],
      },
    },
    allowing: {
      why: null,
      lines: text,
      instead: [text],
      gains: [text],
      moreGains: true,
      failing: [{ test: text, place: rule.place }],
      moreFailing: 1,
    },
    rules: [{ ...rule, isShadow: true, text, applies: text, would: text }],
    refusals: [
      { subject: text, action: 'pull', target: text, tag: text, reason: text, times: 2, last: 1, client: text },
    ],
  };
}

function policyOf(text: string): PolicyAnswer {
  const found = { file: text, line: 1, message: text };
  return {
    ...{ revision: 'abc', rules: 1, problems: [found], since: '2026-01-01T00:00:00Z', by: 'start', testsPassed: 1 },
    review: {
      changes: { lines: [{ sign: '+', text }], isWhole: false },
      lints: [{ ...found, isProblem: true }],
      unexercised: [{ name: text, file: text, line: 2 }],
    },
    files: [{ file: text, lines: 1, problems: 1 }],
    shown: { file: text, isRefused: true, from: 1, total: 1, lines: [text] },
  };
}

test('who may not administer has no button that reads the files', () => {
  const asked = { rest: '', query: new URLSearchParams() };
  const draw = (may: boolean): string => renderToString(policyPage.view(policyOf('a'), frame(may), asked));
  expect(draw(true)).toContain('value="token-for-/ui/policy/reload"');
  expect(draw(false)).not.toContain('/ui/policy/reload');
  expect(reloadForm.operation.needs).toBe('administer');
  expect(policyPage.operation.needs).toBe('inspect');
});

test('who sees themselves only is told so, and is offered nobody else', () => {
  const asked = { rest: '', query: new URLSearchParams() };
  const html = renderToString(accessPage.view({ ...accessOf('a'), about: 'yourself', rules: [] }, frame(false), asked));
  expect(html).toContain('You see what concerns yourself');
  expect(html).not.toContain('name="as"');
  const nothing = accessPage.view({ ...accessOf(''), about: 'yourself', explained: null }, frame(false), asked);
  expect(renderToString(nothing)).toContain('to see what you may do there');
  const failed = accessPage.failed?.({ ok: false, reason: 'invalid', detail: 'no name' }, frame(false), asked);
  expect(failed && renderToString(failed)).toContain('<h1>What you can do</h1>');
});

test('lines of files are links for who may see the files, and text for who may inspect some repositories', () => {
  const asked = { rest: '', query: new URLSearchParams() };
  const draw = (may: boolean): string => renderToString(accessPage.view(accessOf('a.yaml'), frame(may), asked));
  expect(draw(true).match(/href="\/ui\/policy\?file=a\.yaml/g)).toHaveLength(3);
  expect(draw(false)).not.toContain('href="/ui/policy');
  expect(draw(false)).toContain('a.yaml:3');
});

test('what a shadow rule would have done is said of the time that is known', () => {
  const asked = { rest: '', query: new URLSearchParams() };
  const rules = accessOf('a').rules.map((rule) => ({ ...rule, would: null }));
  const html = renderToString(accessPage.view({ ...accessOf('a'), rules }, frame(true), asked));
  expect(html).toContain('in the last hour it would have changed nothing here, as far as this gateway knows.');
  expect(html).toContain('Refused here in the last hour');
});

test('what is asked is taken from the query, and nothing that is empty or unknown', () => {
  const query = new URLSearchParams({ repository: ' a/b ', tag: '', as: 'user:dana', other: 'x' });
  expect(accessPage.input({ rest: '', query })).toEqual({ repository: 'a/b', as: 'user:dana' });
  expect(policyPage.input({ rest: '', query: new URLSearchParams({ file: 'a.yaml', line: '3' }) })).toEqual({
    file: 'a.yaml',
    line: '3',
  });
});
