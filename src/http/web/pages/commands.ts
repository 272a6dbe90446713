/** Commands to paste into a terminal, with the host that clients know: each as the client itself wants it. */
import type { Frame } from '../page.ts';

export interface Line {
  readonly label: string;
  readonly text: string;
}

/** What a command is about. `type`: of what is no image. */
export interface Target {
  readonly repository: string;
  readonly tag?: string | undefined;
  readonly digest?: string | undefined;
  readonly type?: string | undefined;
}

type Place = Pick<Frame, 'host' | 'publicUrl'>;

/** docker, podman, skopeo, oras and helm each have a name of their own for plain HTTP; docker speaks it to loopback only. */
const plain = {
  podman: ' --tls-verify=false',
  skopeo: ' --tls-verify=false',
  oras: ' --plain-http',
  helm: ' --plain-http',
};

/** First the one that most want. Without a tag or digest they name `TAG`. */
export function pullLines(place: Place, target: Target): readonly [Line, ...Line[]] {
  const { host } = place;
  const { repository, tag, digest, type } = target;
  const name = `${host}/${repository}`;
  const whole = tag !== undefined ? `${name}:${tag}` : digest !== undefined ? `${name}@${digest}` : `${name}:TAG`;
  const flag = (client: keyof typeof plain): string => (place.publicUrl.startsWith('http:') ? plain[client] : '');
  const oras: Line = { label: 'oras', text: `oras discover${flag('oras')} ${whole}` };
  const skopeo: Line = { label: 'skopeo', text: `skopeo inspect${flag('skopeo')} docker://${whole}` };
  if (type !== undefined && /helm\.config/.test(type)) {
    const chart =
      tag !== undefined ? `${name} --version ${tag.replaceAll('_', '+')}` : digest === undefined ? name : whole;
    return [{ label: 'Pull', text: `helm pull oci://${chart}${flag('helm')}` }, orasPull(), oras];
  }
  if (type !== undefined) return [{ ...orasPull(), label: 'Pull' }, oras];
  const kubernetes = digest === undefined ? whole : `${name}@${digest}`;
  return [
    { label: 'Pull', text: `docker pull ${whole}` },
    { label: 'podman', text: `podman pull${flag('podman')} ${whole}` },
    skopeo,
    oras,
    { label: 'Kubernetes', text: `image: ${kubernetes}` },
  ];

  function orasPull(): Line {
    return { label: 'oras', text: `oras pull${flag('oras')} ${whole}` };
  }
}

/** For whoever may push. */
export function pushLine({ host }: Place, repository: string): Line {
  return { label: 'Push', text: `docker push ${host}/${repository}:TAG` };
}

/** From nothing to the first image. */
export function firstPushLines(place: Place, account: string, repository: string): readonly Line[] {
  const target = `${place.host}/${repository}:v1`;
  return [
    loginLine(place, account),
    { label: 'Name', text: `docker tag IMAGE ${target}` },
    { label: 'Push', text: `docker push ${target}` },
  ];
}

/** `account`: '' for nobody in particular. */
export function loginLine({ host }: Place, account: string): Line {
  return { label: 'Log in', text: `docker login ${host}${account === '' ? '' : ` -u ${word(account)}`}` };
}

/** As one word of a shell. */
export function word(text: string): string {
  return /^[\w.@+/-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
