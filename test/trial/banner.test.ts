import { describe, expect, test } from 'vitest';
import { formatBanner, type BannerInfo } from '../../src/trial/banner.ts';

const info: BannerInfo = {
  version: '1.2.3',
  url: 'http://127.0.0.1:5050',
  hasPage: true,
  upstream: { url: 'http://127.0.0.1:41234', description: 'docker-registry 2.8.2' },
  store: 'in this process, kept across restarts',
  policies: { from: 'policies/', rules: 7, testsPassed: 1 },
  admin: {
    account: 'admin',
    password: 'abcde-fghjk-mnpqr-stuvw',
    passwordFile: '/home/d/app/.portcullis/initial-admin-password',
  },
  stateDir: '/home/d/app/.portcullis',
  workingDirectory: '/home/d/app',
  colour: false,
};

describe('the banner', () => {
  const promises: readonly (readonly [title: string, text: string])[] = [
    ['says loudly that this is not production', 'TRY MODE, not for production'],
    ['names the gateway', 'http://127.0.0.1:5050'],
    ['says where browsers find the page', 'http://127.0.0.1:5050/ui/'],
    ['names the registry behind it', 'http://127.0.0.1:41234  docker-registry 2.8.2'],
    ['says where sessions are kept', 'in this process, kept across restarts'],
    ['counts rules and tests', 'policies/  7 rules, 1 test passed'],
    ['shows a password that it is given', 'admin / abcde-fghjk-mnpqr-stuvw'],
    [
      'gives a login line that keeps the password out of the shell history',
      'docker login 127.0.0.1:5050 -u admin --password-stdin < .portcullis/initial-admin-password',
    ],
    [
      'gives a line that tags and pushes',
      'docker tag alpine 127.0.0.1:5050/sandbox/hello && docker push 127.0.0.1:5050/sandbox/hello',
    ],
    ['says how to see the flow without a client', 'npx portcullis try'],
    ['says what to edit next', 'edit policies/'],
  ];
  test.each(promises)('%s', (_title, text) => {
    expect(formatBanner(info)).toContain(text);
  });

  test('without a password says only where it is kept', () => {
    const banner = formatBanner({ ...info, admin: { ...info.admin, password: undefined } });
    expect(banner).toContain('admin, password in .portcullis/initial-admin-password');
    expect(banner).not.toContain('abcde');
  });

  test('quotes a path that the shell would split', () => {
    const banner = formatBanner({ ...info, admin: { ...info.admin, passwordFile: "/home/d/app/it's here/pw" } });
    expect(banner).toContain(`< 'it'\\''s here/pw'`);
  });

  test('has no colours unless told', () => {
    expect(formatBanner(info)).not.toContain('\u001b');
  });
});
