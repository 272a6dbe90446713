/** What a gateway answers to a promotion, in words, with what to do. */
import { field } from '../distribution/json.ts';
import { escapeUnprintable } from '../document/problem.ts';
import type { GatewayAnswer, Trouble } from './gateway-client.ts';
import type { Place } from './promote-names.ts';

/** undefined where it says what was promoted: anything may stand at an address, and answer 200 to everything. */
export function answerTrouble(
  { status, headers, body }: GatewayAnswer,
  place: Place,
  isDryRun = false,
): Trouble | undefined {
  const { host } = place.url;
  if (status >= 200 && status < 300) {
    const isDone = status === (isDryRun ? 200 : 201) && typeof field(body, 'digest') === 'string';
    const problem = `${host} answers ${status}, and not what was promoted`;
    return isDone ? undefined : { problem, fix: `is ${host} a Portcullis, and new enough?` };
  }
  const said = saidIn(body);
  const wait = /^[1-9]\d{0,5}$/.exec(headers['retry-after'] ?? '')?.[0];
  const again = `run it again in ${wait === undefined ? 'a while' : `${wait} s`}`;
  const made = (problem: string, fix: string): Trouble => ({ problem: escapeUnprintable(problem), fix });
  switch (kindOf(status, body)) {
    case 'source-unknown':
      return made(
        said ?? `${place.source} is not there, or you may not pull it`,
        `is it spelled right, and may you pull it? portcullis explain user:NAME pull ${place.sourceRepository}`,
      );
    case 'target-unknown':
      return made(
        said ?? `no registry behind ${host} has ${place.targetRepository}`,
        `is it spelled right? upstreams, in the configuration of ${host}, says which names lead where`,
      );
    case 'not-allowed':
      return made(
        said ?? `you may not promote to ${place.target}`,
        `portcullis who-can promote ${place.target} says who may, where the policies are`,
      );
    case 'tag-taken':
      return made(
        said ?? `${place.target} is another image, and may not be moved`,
        'choose a tag that is free: a released version stays what it is',
      );
    case 'gate-failed':
      return made(
        said ?? `a gate does not let ${place.source} into ${place.targetRepository}`,
        'have it built, tested and approved there first, then promote what was approved',
      );
    case 'registry':
      return made(
        said ?? `the registry behind ${host} does not answer`,
        `${again}: nothing was tagged, and repeating is safe`,
      );
    case 'login':
      return made(
        `${host} does not accept the login${said === undefined ? '' : `: ${said}`}`,
        `docker login ${host}, or --user NAME --password-stdin`,
      );
    case 'limit':
      return made(said ?? 'a limit is reached', again);
    case 'redirect':
      return made(
        `${host} leads elsewhere${headers.location === undefined ? '' : `, to ${headers.location}`}`,
        'name that address with --gateway; credentials are not sent along',
      );
    case 'absent':
      return made(`${host} knows no promotions`, `is ${host} a Portcullis, and new enough?`);
    default:
      return made(said ?? `${host} answers ${status}`, status >= 500 ? again : 'see portcullis promote --help');
  }
}

type Kind =
  | 'source-unknown'
  | 'target-unknown'
  | 'not-allowed'
  | 'tag-taken'
  | 'gate-failed'
  | 'registry'
  | 'login'
  | 'limit'
  | 'redirect'
  | 'absent';

/** By the problem's type where it has one (RFC 9457), else by the status. */
function kindOf(status: number, body: unknown): Kind | undefined {
  const type = field(body, 'type');
  const named = typeof type === 'string' ? /[a-z-]+$/.exec(type)?.[0] : undefined;
  switch (named) {
    case 'source-unknown':
    case 'target-unknown':
    case 'not-allowed':
    case 'tag-taken':
    case 'gate-failed':
    case 'registry':
      return named;
  }
  if (status >= 300 && status < 400) return 'redirect';
  const byStatus: Readonly<Record<number, Kind>> = {
    401: 'login',
    403: 'not-allowed',
    404: 'absent',
    405: 'absent',
    429: 'limit',
  };
  return byStatus[status] ?? (status === 502 || status === 503 || status === 504 ? 'registry' : undefined);
}

/** The `detail` of a problem, or the message of an OCI error. */
function saidIn(body: unknown): string | undefined {
  const texts = [field(body, 'detail'), field(body, 'errors', '0', 'message'), field(body, 'title')];
  return texts.find((text): text is string => typeof text === 'string' && text !== '');
}

/** Two lines: what is what now, and what it took; a third for what was not taken along. */
export function promotedWords(body: unknown, place: Place, isDryRun: boolean): string {
  const count = (key: string): number => Number(field(body, key) ?? 0) || 0;
  const named = field(body, 'digest');
  const digest = typeof named === 'string' ? named : 'digest unknown';
  const names = `${place.source} to ${place.target}`;
  const manifests = count('manifests');
  if (manifests === 0)
    return escapeUnprintable(`nothing to do: ${place.target} is ${place.source} already`).concat(
      `\n`,
      escapeUnprintable(digest),
      '\n',
    );
  const [blobs, mounted, bytes] = [count('blobs'), count('mounted'), count('bytes')];
  const made = counted(manifests, 'manifest');
  if (isDryRun) {
    const planned = escapeUnprintable(`${digest}  ${made}, ${counted(blobs, 'blob')}`);
    return `${escapeUnprintable(`would promote ${names}`)}\n${planned}\nnothing was changed\n`;
  }
  const moved = mounted === blobs ? counted(blobs, 'blob') : `${counted(blobs, 'blob')}, ${mounted} of them mounted`;
  const copied = bytes === 0 ? 'nothing copied' : `${sizeInWords(bytes)} copied`;
  const took = `${made}, ${moved}, ${copied}, ${timeInWords(count('durationMs'))}`;
  const left = field(body, 'left');
  const elsewhere =
    Array.isArray(left) && left.length > 0
      ? `${counted(left.length, 'layer')} the registry has none of, as before\n`
      : '';
  return `${escapeUnprintable(`promoted ${names}`)}\n${escapeUnprintable(`${digest}  ${took}`)}\n${elsewhere}`;
}

function counted(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

function timeInWords(ms: number): string {
  return ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** In decimal units, as registries and docker count. */
function sizeInWords(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let [value, step] = [bytes, 0];
  // From half of its last digit on it is written as one of the next.
  for (; value >= 999.5 && step < units.length - 1; step++) value /= 1000;
  return `${step === 0 ? value : value.toPrecision(3)} ${units[step]}`;
}
