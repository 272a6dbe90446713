/** What `promote` is asked to do: the two names, and the gateway to ask for it. */
import type { Problem } from '../document/problem.ts';
import { quote } from '../document/problem.ts';
import { type ImageName, isHostAndPort, parseImageName } from '../distribution/image-name.ts';
import { isLoopback } from '../network/host.ts';
import { readConfiguration } from './configuration.ts';

export interface PromoteWish {
  readonly gateway?: string;
}

export interface Place {
  /** Origin of the gateway. */
  readonly url: URL;
  readonly isTls: boolean;
  /** As the gateway names them: without a host, with a tag or a digest. */
  readonly source: string;
  readonly target: string;
  readonly sourceRepository: string;
  readonly targetRepository: string;
}

type Located = Place | { readonly usage: string } | { readonly problems: readonly Problem[] };

/** `usage`: what is wrong with the command line; `problems`: with the configuration, where it is needed. */
export function locate(sourceText: string, targetText: string, { gateway }: PromoteWish): Located {
  const asked = gateway === undefined ? undefined : gatewayFrom(gateway);
  if (asked !== undefined && 'usage' in asked) return asked;
  const source = parseImageName(sourceText, asked?.host);
  if ('problem' in source) return { usage: `SOURCE ${shown(sourceText)}: ${source.problem}` };
  const target = parseImageName(targetText, asked?.host);
  if ('problem' in target) return { usage: `TARGET ${shown(targetText)}: ${target.problem}` };
  const names = namesOf(source, target);
  if (typeof names === 'string') return { usage: names };
  const hosts = [
    ...new Set([asked?.host, source.host, target.host].flatMap((host) => (host ?? '').toLowerCase() || [])),
  ];
  if (hosts.length > 1) {
    return { usage: `${hosts.join(' and ')} are two gateways: an image is promoted within one` };
  }
  const origin = originOf(hosts[0], asked?.scheme);
  return 'problems' in origin ? origin : { ...names, url: origin.url, isTls: origin.url.protocol === 'https:' };
}

/** Without a login that somebody wrote into it. */
function shown(text: string): string {
  return quote(text.replace(/^(?:[a-z]+:\/\/)?[^/]*@(?=[^/]*\/)/i, '…@'));
}

type Gateway = { readonly host: string; readonly scheme: string | undefined };

function gatewayFrom(text: string): Gateway | { readonly usage: string } {
  const [, scheme, host = ''] = /^(?:(https?):\/\/)?([^/]*)\/?$/i.exec(text) ?? [];
  if (!isHostAndPort(host)) return { usage: '--gateway is a URL or HOST[:PORT], without a path, a name or a password' };
  // A standard port goes without saying in URLs.
  const shown = scheme === undefined ? host : new URL(`${scheme}://${host}`).host;
  return { host: shown.toLowerCase(), scheme: scheme?.toLowerCase() };
}

function namesOf(source: ImageName, target: ImageName): string | Omit<Place, 'url' | 'isTls'> {
  if (source.tag === undefined && source.digest === undefined)
    return `SOURCE names no image of ${source.repository}: add :TAG or @sha256:…`;
  if (target.digest !== undefined) return 'TARGET is a name: give it a tag, the digest is that of SOURCE';
  const tag = target.tag ?? source.tag;
  if (tag === undefined) return `SOURCE is a digest, so TARGET needs a tag: ${target.repository}:TAG`;
  return {
    // As docker: the digest says which image it is, whatever the tag names by now.
    source: `${source.repository}${source.digest === undefined ? `:${source.tag}` : `@${source.digest}`}`,
    target: `${target.repository}:${tag}`,
    sourceRepository: source.repository,
    targetRepository: target.repository,
  };
}

/** Plain HTTP for loopback and where `publicUrl` says so, TLS for everything else. */
function originOf(
  host: string | undefined,
  scheme: string | undefined,
): { readonly url: URL } | { readonly problems: readonly Problem[] } {
  if (host !== undefined && scheme !== undefined) return { url: new URL(`${scheme}://${host}`) };
  const configuration = readConfiguration();
  // One that was not asked for does not stand in the way of a host that was named.
  const isNamed = process.env['PORTCULLIS_CONFIG'] !== undefined;
  if (!configuration.ok && (host === undefined || isNamed)) return { problems: configuration.problems };
  const publicUrl = configuration.ok ? new URL(configuration.config.publicUrl) : undefined;
  if (host === undefined && publicUrl !== undefined) return { url: publicUrl };
  const known = publicUrl !== undefined && new URL(`${publicUrl.protocol}//${host}`).host === publicUrl.host;
  if (known) return { url: publicUrl };
  return { url: new URL(`${isLoopback(new URL(`http://${host}`).hostname) ? 'http' : 'https'}://${host}`) };
}
