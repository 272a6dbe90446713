/** The pages of a registry's content: text from elsewhere stays text, commands are what their clients want. */
import { gzipSync } from 'node:zlib';
import { renderToString } from 'preact-render-to-string';
import { describe, expect, test } from 'vitest';
import type { GoingAnswer } from '../../src/operations/delete.ts';
import type { ImageAnswer } from '../../src/operations/image.ts';
import type { RepositoriesAnswer } from '../../src/operations/repositories.ts';
import type { TagsAnswer, TagView } from '../../src/operations/tags.ts';
import { firstPushLines, loginLine, pullLines } from '../../src/http/web/pages/commands.ts';
import { DeletePage, NotDeleted } from '../../src/http/web/pages/delete.tsx';
import { developerPages } from '../../src/http/web/pages/developer.tsx';
import { ImagePage } from '../../src/http/web/pages/image.tsx';
import { outsideLink } from '../../src/http/web/pages/links.ts';
import { RepositoriesPage } from '../../src/http/web/pages/repositories.tsx';
import { RepositoryPage } from '../../src/http/web/pages/repository.tsx';
import { readPageAssets } from '../../src/page-assets.ts';
import { frameFor, markupOf } from '../support/frame.ts';
import { digestFor } from '../support/shelf.ts';

const bidi = '\u202e';
const hostile: readonly string[] = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "' onmouseover='alert(1)",
  '" style="position:fixed',
  'javascript:alert(1)',
  ' JaVaScRiPt:alert(1)',
  'data:text/html,<script>alert(1)</script>',
  'https://evil.example/"><svg onload=alert(1)>',
  '//evil.example/',
  '</title><script>alert(1)</script>',
  '</textarea><script>',
  '<!-- --!><script>',
  '<![CDATA[<script>]]>',
  '&lt;script&gt;&#x3c;script>',
  `invoice${bidi}gpj.exe`,
  '\u2066\u2067\u2068\u2069\u200e\u200f\u061c',
  '\u0000\u0001\u001b[31m\u007f\u0085',
  '\u2028\u2029\ufeff\u200b',
  '\ud800',
  '👩‍👩‍👧‍👦'.repeat(40),
  'a'.repeat(65_536),
  '{{7*7}}${7*7}<%= 7*7 %>',
  '../../../../ui/logout',
  '__proto__',
  'constructor',
];

const at = '2026-11-26T11:00:00.000Z';
const frame = frameFor('dana');
const digest = digestFor('image');

/** `name`: of what the grammar of names lets through. */
function row(text: string, name = text): TagView {
  return {
    ...{ tag: name, state: 'known', digest, size: 1000, platforms: [text, `linux/${text}`], type: text, created: at },
    ...{ pushed: { at, by: text }, lastPull: at, sameAs: [name], immutable: true, mayDelete: true },
    attached: [{ kind: 'signature', type: text, digest, tag: name }],
  };
}

function list(text: string, name = text): TagsAnswer {
  const rights = [{ action: 'pull', answer: 'sometimes', rule: text, note: text }] as TagsAnswer['rights'];
  const tags = [
    row(text, name),
    { ...row(text, name), state: 'missing' as const },
    { ...row(text, name), platforms: [] },
  ];
  return { repository: name, rights, total: 3, matching: 3, newest: { tag: name, type: text }, tags, next: name };
}

function image(text: string, name = text): ImageAnswer {
  const config = { user: text, entrypoint: [text], command: [text], ports: [text], labels: { [`l${text}`]: text } };
  const layers = [{ digest, size: 5, type: text, command: text }];
  const platform = { digest: digestFor('part'), name: text, size: 5, created: at, config, layers };
  return {
    ...{ repository: name, rights: [], tag: name, digest, mediaType: text, type: text, size: 5, partial: true },
    ...{ platforms: [platform, { ...platform, name: undefined }], subject: text, annotations: { [`a${text}`]: text } },
    ...{ sameAs: [name], immutable: true, history: [{ digest, at, by: text }], lastPull: at, mayDelete: true },
    attached: (['signature', 'SBOM', 'attestation', 'other'] as const).map((kind) => ({ kind, type: text, digest })),
    stale: { reason: 'away', since: at },
  };
}

function repositories(name: string): RepositoriesAnswer {
  const one = { name, lastPush: at, tags: 3, rights: ['pull' as const] };
  const folders = [{ path: name, repositories: 3 }];
  return { under: name, total: 1, matching: 1, folders, repositories: [one], next: name, complete: false };
}

const going = (text: string): GoingAnswer => ({
  ...{ repository: text, tag: text, digest, tags: [{ tag: text, may: false }], indexes: [text] },
  ...{ others: true, list: text },
});

const views = {
  'the list of repositories': (text: string, name = text) =>
    RepositoriesPage({ answer: repositories(name), frame, asked: asking({ q: text, order: text }) }),
  'an empty list': (text: string, name = text) =>
    RepositoriesPage({
      answer: { ...repositories(name), total: 0, firstPush: name },
      frame,
      asked: asking({ q: text }),
    }),
  'a search without result': (text: string, name = text) =>
    RepositoriesPage({ answer: { ...repositories(name), repositories: [] }, frame, asked: asking({ q: text }) }),
  'a repository': (text: string, name = text) =>
    RepositoryPage({ answer: list(text, name), frame, asked: asking({ q: text, gone: text }) }),
  'no tag': (text: string, name = text) =>
    RepositoryPage({ answer: { ...list(text, name), tags: [] }, frame, asked: asking({ q: text }) }),
  'an image': (text: string, name = text) => ImagePage({ answer: image(text, name), frame }),
  deleting: (_text: string, name = _text) => DeletePage({ answer: going(name), frame }),
  'not deleted': (text: string) => NotDeleted({ detail: text, repository: text, tag: text, frame }),
};

function asking(query: Readonly<Record<string, string>>) {
  return { rest: '', query: new URLSearchParams(query) };
}

/** What becomes a link to somewhere else is an element more. */
const withoutLinks = (elements: readonly string[]): readonly string[] =>
  elements.filter((each) => !/^\/?a\b/.test(each) && !/^\/?p\b/.test(each) && each !== '/strong' && each !== 'strong');

describe.each(Object.entries(views))('hostile text in %s', (_name, view) => {
  const plain = markupOf(view('plain-text'));

  test.each(hostile.map((text) => [text.slice(0, 40), text]))(
    '%j makes no element and no attribute',
    (_short, text) => {
      const { elements, links } = markupOf(view(text));
      expect(withoutLinks(elements)).toEqual(withoutLinks(plain.elements));
      for (const link of links) expect(link).toMatch(/^(?:\/ui\/|#|https:\/\/evil\.example\/)/);
    },
  );

  test('shows what turns directions as what it is', () => {
    expect(renderToString(view(`invoice${bidi}gpj.exe`, 'app')).replaceAll(/"[^"]*"/g, '')).not.toContain(bidi);
  });
});

describe('a link in a label', () => {
  test.each([
    ['https://git.example.com/team/shop', 'git.example.com'],
    ['HTTPS://git.example.com:8443/a?b=c#d', 'git.example.com:8443'],
  ])('%s leads there, and says where', (text, host) => expect(outsideLink(text)?.host).toBe(host));

  test.each(hostile.concat(['http://plain.example/', 'https://user:pass@bank.example/', 'https:\\\\evil', 'ftp://x']))(
    '%j is text, or plain https',
    (text) => {
      const link = outsideLink(text);
      if (link !== undefined) expect(link.href).toMatch(/^https:\/\/evil\.example\/[^"<> ]*$/);
    },
  );
});

describe('commands', () => {
  const target = { repository: 'team/app', tag: 'v1', digest };
  const texts = (place: { host: string; publicUrl: string }, more = {}): readonly string[] =>
    pullLines(place, { ...target, ...more }).map(({ text }) => text);

  test('name the host that clients know, and Kubernetes takes a digest', () => {
    expect(texts(frame)).toEqual([
      'docker pull registry.example.com/team/app:v1',
      'podman pull registry.example.com/team/app:v1',
      'skopeo inspect docker://registry.example.com/team/app:v1',
      'oras discover registry.example.com/team/app:v1',
      `image: registry.example.com/team/app@${digest}`,
    ]);
  });

  test('over plain HTTP each client is told so in its own way', () => {
    expect(texts({ host: '127.0.0.1:5050', publicUrl: 'http://127.0.0.1:5050' }).slice(1, 4)).toEqual([
      'podman pull --tls-verify=false 127.0.0.1:5050/team/app:v1',
      'skopeo inspect --tls-verify=false docker://127.0.0.1:5050/team/app:v1',
      'oras discover --plain-http 127.0.0.1:5050/team/app:v1',
    ]);
  });

  test('a chart is pulled by helm, another artifact by oras', () => {
    const helm = 'application/vnd.cncf.helm.config.v1+json';
    expect(texts(frame, { type: helm, tag: '1.0.0_b1' })[0]).toBe(
      'helm pull oci://registry.example.com/team/app --version 1.0.0+b1',
    );
    expect(texts(frame, { type: 'application/spdx+json' })[0]).toBe('oras pull registry.example.com/team/app:v1');
  });

  test('the first image takes three, with the account and the host', () => {
    expect(firstPushLines(frame, 'dana', 'people/dana/hello').map(({ text }) => text)).toEqual([
      'docker login registry.example.com -u dana',
      'docker tag IMAGE registry.example.com/people/dana/hello:v1',
      'docker push registry.example.com/people/dana/hello:v1',
    ]);
  });

  test('no account writes a second command', () => {
    expect(loginLine(frame, "o'neil; rm -rf /").text).toBe(
      "docker login registry.example.com -u 'o'\\''neil; rm -rf /'",
    );
  });
});

describe('what a page is asked with', () => {
  const [, repository] = developerPages;

  test('names of many segments are whole, and a tag or digest asks for an image', () => {
    const name = 'a/b-c/d_e/f.g/h/i/j/k';
    expect(repository.input({ rest: name, query: new URLSearchParams('tag=v1') })).toMatchObject({
      repository: name,
      reference: 'v1',
    });
    expect(repository.input({ rest: 'a%2Fb', query: new URLSearchParams() }).repository).toBe('a/b');
    expect(repository.input({ rest: '%E0%A4%A', query: new URLSearchParams() }).repository).toBe('%E0%A4%A');
  });

  test('what is longer than any name is cut, and a made-up order is none', () => {
    const query = new URLSearchParams({ q: 'x'.repeat(70_000), order: 'upside-down' });
    expect(repository.input({ rest: 'app', query })).toMatchObject({ q: 'x'.repeat(128), order: undefined });
  });
});

test('fifty rows are a page of at most 50 kB with all that belongs to it, drawn in a few milliseconds', () => {
  const tags = Array.from({ length: 50 }, (_, number) => ({
    ...row(`v1.${number}.0-rc.${number}`),
    platforms: ['linux/amd64', 'linux/arm64/v8'],
    attached: row('application/vnd.cncf.notary.signature').attached,
  }));
  const view = (): string =>
    renderToString(RepositoryPage({ answer: { ...list('team/app'), tags }, frame, asked: asking({}) }));
  const html = view();
  const times = Array.from({ length: 30 }, () => {
    const begun = performance.now();
    view();
    return performance.now() - begun;
  });
  // The quickest: a busy machine interrupts the others.
  expect(Math.min(...times)).toBeLessThan(10);
  const assets = readPageAssets().map(({ content }) => gzipSync(content).length);
  const transferred = gzipSync(html).length + assets.reduce((sum, size) => sum + size, 0);
  expect(transferred).toBeLessThan(50_000);
});
