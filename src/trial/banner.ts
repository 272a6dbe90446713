/** What try mode says when it is up. */
import { relative } from 'node:path';
import { styleText } from 'node:util';

export interface BannerInfo {
  readonly version: string;
  /** What clients use, such as http://127.0.0.1:5050. */
  readonly url: string;
  /** Whether people find a page there. */
  readonly hasPage: boolean;
  readonly upstream: { readonly url: string; readonly description: string };
  /** Where sessions and limits are kept, in words. */
  readonly store: string;
  readonly policies: {
    /** Directory or files, as an admin would type them. */
    readonly from: string;
    readonly rules: number;
    readonly testsPassed: number;
  };
  readonly admin: {
    readonly account: string;
    /** Shown when given, otherwise only the file is named. */
    readonly password: string | undefined;
    readonly passwordFile: string;
  };
  readonly stateDir: string;
  /** Paths below it are shown relative to it. */
  readonly workingDirectory: string;
  readonly colour: boolean;
}

/** What `npm start` prints in try mode once it listens: what runs, how to log in, what to do next. Ends with a newline. */
export function formatBanner(info: BannerInfo): string {
  const bold = (text: string): string => (info.colour ? styleText('bold', text) : text);
  const loud = (text: string): string => (info.colour ? styleText(['bold', 'yellow'], text) : text);
  const quiet = (text: string): string => (info.colour ? styleText('dim', text) : text);
  const host = new URL(info.url).host;
  const nearest = (path: string): string => shorter(path, relative(info.workingDirectory, path));
  const passwordFile = nearest(info.admin.passwordFile);
  const image = `${host}/sandbox/hello`;

  const rows: readonly (readonly [label: string, text: string])[] = [
    ['Gateway', bold(info.url)],
    ...(info.hasPage ? [['Page', `${info.url}/ui/  ${quiet('in a browser, by the same account')}`] as const] : []),
    ['Registry', `${info.upstream.url}  ${quiet(info.upstream.description)}`],
    ['Store', info.store],
    [
      'Policies',
      `${info.policies.from}  ${count(info.policies.rules, 'rule')}, ${count(info.policies.testsPassed, 'test')} passed`,
    ],
    [
      'Sign in',
      info.admin.password === undefined
        ? `${info.admin.account}, password in ${passwordFile}`
        : `${info.admin.account} / ${bold(info.admin.password)}  ${quiet(`kept in ${passwordFile}`)}`,
    ],
    ['', `docker login ${host} -u ${info.admin.account} --password-stdin < ${shellWord(passwordFile)}`],
    ['Push', `docker pull alpine && docker tag alpine ${image} && docker push ${image}`],
    [
      'Next',
      `npx portcullis try  ${quiet('the whole flow without Docker: login, push, pull, a refusal and its reason')}`,
    ],
    ['', `edit ${info.policies.from}  ${quiet('users, groups and rules; the comments there explain the language')}`],
  ];
  return [
    '',
    `  ${bold(`portcullis ${info.version}`)}  ${loud('TRY MODE, not for production')}  ${quiet(`everything it keeps is in ${nearest(info.stateDir)}`)}`,
    '',
    ...rows.map(([label, text]) => `  ${label.padEnd(9)} ${text}`),
    '',
    '',
  ].join('\n');
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

function shorter(path: string, fromHere: string): string {
  return fromHere !== '' && fromHere.length < path.length ? fromHere : path;
}

function shellWord(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
