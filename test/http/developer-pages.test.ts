/** The pages of a registry's content: text from elsewhere stays text, commands are what their clients want. */
import { gzipSync } from 'node:zlib';
import { renderToString } from 'preact-render-to-string';
import { describe, expect, test } from 'vitest';
import { firstPushLines, loginLine, pullLines } from '../../src/http/web/pages/commands.ts';
import { developerPages } from '../../src/http/web/pages/developer.tsx';
import { outsideLink } from '../../src/http/web/pages/links.ts';
import { ImagePage } from '../../src/http/web/pages/image.tsx';
import { RepositoryPage } from '../../src/http/web/pages/repository.tsx';
import { readPageAssets } from '../../src/page-assets.ts';
import { frameFor } from '../support/frame.ts';
import { hostileTexts } from '../support/hostile-texts.ts';
import { imageOf, tagList, tagRow } from '../support/page-views.ts';
import { digestFor } from '../support/shelf.ts';

const frame = frameFor('dana');
const digest = digestFor('image');

function asking(query: Readonly<Record<string, string>>) {
  return { rest: '', query: new URLSearchParams(query) };
}

describe('a link in a label', () => {
  test.each([
    ['https://git.example.com/team/shop', 'git.example.com'],
    ['HTTPS://git.example.com:8443/a?b=c#d', 'git.example.com:8443'],
  ])('%s leads there, and says where', (text, host) => expect(outsideLink(text)?.host).toBe(host));

  test.each(
    hostileTexts.concat(['http://plain.example/', 'https://user:pass@bank.example/', 'https:\\\\evil', 'ftp://x']),
  )('%j is text, or plain https', (text) => {
    const link = outsideLink(text);
    if (link !== undefined) expect(link.href).toMatch(/^https:\/\/evil\.example\/[^"<> ]*$/);
  });
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

describe('a list without an entry', () => {
  const [list] = developerPages;
  const none = { under: '', total: 3, matching: 0, folders: [], moreFolders: 0, repositories: [], complete: true };
  const shown = (more: object, query: Readonly<Record<string, string>> = {}): string =>
    renderToString(list.view({ ...none, ...more }, frame, asking(query)));

  test('says of a folder that it holds nothing, and only of what was looked for that it is not there', () => {
    const folder = shown({ under: 'nobody' }, { under: 'nobody' });
    expect(folder).toContain('no repository in this folder that you may see');
    expect(folder).not.toContain('matches');
    expect(folder).toContain('<a href="/ui/">Show all</a>');
    expect(shown({}, { q: 'nothing' })).toMatch(/No repository here matches “.*nothing/);
  });

  test('says of a page behind the last one that there are no more', () => {
    expect(shown({ matching: 3 }, { after: 'z', order: 'name' })).toContain('There are no more.');
    const tags = { ...tagList('team/app'), tags: [], total: 60, matching: 60 };
    const html = renderToString(RepositoryPage({ answer: tags, frame, asked: asking({ after: 'z', order: 'name' }) }));
    expect(html).toContain('There are no more.');
    expect(html).not.toContain('not listed');
    const cut = { ...tags, complete: false };
    expect(renderToString(RepositoryPage({ answer: cut, frame, asked: asking({}) }))).toContain(
      'more tags, not listed',
    );
  });

  test('says how many folders there are beside those that it shows', () => {
    expect(shown({ folders: [{ path: 'a', repositories: 1 }], moreFolders: 1240 })).toContain('and 1,240 more');
  });
});

test('who deleted the last tag is told so where the registry knows no such repository any more', () => {
  const [, repository] = developerPages;
  const asked = { rest: 'team/app', query: new URLSearchParams('gone=wip') };
  const outcome = { ok: false, reason: 'unknown', detail: 'There is no repository.' } as const;
  const drawn = (isFromOwnPage: boolean) => repository.failed?.(outcome, { ...frame, isFromOwnPage }, asked);
  expect(renderToString(drawn(true) ?? expect.fail('no page'))).toContain('wip is deleted.');
  expect(drawn(false)).toBeUndefined();
});

describe('tags of the same image', () => {
  test('are some in a row, with how many there are beside them', () => {
    const tags = [{ ...tagRow('v1'), sameAs: ['v2', 'v3'], moreSame: 294 }];
    const html = renderToString(RepositoryPage({ answer: { ...tagList('team/app'), tags }, frame, asked: asking({}) }));
    expect(html).toContain('same image as v2, v3 and 294 more');
  });

  test('are fifty on the page of the image, and the way to all of them', () => {
    const sameAs = Array.from({ length: 60 }, (_, number) => `v${number}`);
    const html = renderToString(ImagePage({ answer: { ...imageOf('v'), digest, sameAs }, frame }));
    expect(html.match(/class="item"/g)).toHaveLength(50);
    expect(html).toContain(`/ui/r/v?q=${encodeURIComponent(digest)}">and 10 more</a>`);
  });
});

test('that a tag is deleted is believed of our own form, of no link from elsewhere', () => {
  const draw = (isFromOwnPage: boolean): string =>
    renderToString(
      RepositoryPage({
        answer: tagList('team/app', 'v1'),
        frame: { ...frame, isFromOwnPage },
        asked: asking({ gone: 'v2' }),
      }),
    );
  expect(draw(true)).toContain('v2 is deleted.');
  expect(draw(false)).not.toContain('v2');
});

test('fifty rows are a page of at most 50 kB with all that belongs to it', () => {
  const tags = Array.from({ length: 50 }, (_, number) => ({
    ...tagRow(`v1.${number}.0-rc.${number}`),
    platforms: ['linux/amd64', 'linux/arm64/v8'],
    attached: tagRow('application/vnd.cncf.notary.signature').attached,
  }));
  const html = renderToString(RepositoryPage({ answer: { ...tagList('team/app'), tags }, frame, asked: asking({}) }));
  const assets = readPageAssets().map(({ content }) => gzipSync(content).length);
  const transferred = gzipSync(html).length + assets.reduce((sum, size) => sum + size, 0);
  expect(transferred).toBeLessThan(50_000);
});
