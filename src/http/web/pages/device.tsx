/** Letting a terminal in: the code is typed, the terminal is shown, its person says yes or no. The code is in no address. */
import type { z } from 'zod';
import type { lookAtDevice } from '../../../operations/device.ts';
import type { Frame } from '../page.ts';
import { Layout } from './layout.tsx';
import { Foreign, When } from './parts.tsx';
import { TokenFields } from './token-fields.tsx';

const at = '/ui/me';
const lookPath = '/ui/device/look';
const answerPath = '/ui/device/answer';

/** Where the code is typed. */
export function DevicePage(props: {
  readonly frame: Frame;
  readonly problem?: string | undefined;
  readonly code?: string;
}) {
  const { frame, problem, code } = props;
  return (
    <Layout title="Let a terminal in" at={at} frame={frame}>
      <h1>Let a terminal in</h1>
      {problem === undefined ? null : (
        <p class="notice bad" role="alert">
          <Foreign text={problem} whole />
        </p>
      )}
      <form class="fields" method="post" action={lookPath}>
        <input type="hidden" name="csrf" value={frame.csrf(lookPath)} />
        <label>
          The code that <code>portcullis login</code> shows
          <input
            class="typed"
            name="code"
            value={code}
            required
            maxLength={32}
            placeholder="XXXX-XXXX"
            autocomplete="off"
            autocapitalize="characters"
            spellcheck={false}
          />
        </label>
        <button class="primary">Go on</button>
      </form>
      <p class="note">
        Only type a code that you see in a terminal of your own. Whoever sends you one wants to be let in as{' '}
        {frame.viewer.name}.
      </p>
    </Layout>
  );
}

/** The question. */
export function DeviceFoundPage(props: {
  readonly frame: Frame;
  readonly found: Pick<z.output<typeof lookAtDevice.answer>, 'code' | 'address' | 'userAgent' | 'ownAddress'> & {
    readonly asked?: string | undefined;
    readonly longestSeconds: number;
  };
  readonly typed?: URLSearchParams | undefined;
  readonly problem?: string | undefined;
}) {
  const { frame, found, typed, problem } = props;
  const { code, address, userAgent, ownAddress, asked, longestSeconds } = found;
  return (
    <Layout title="Let a terminal in" at={at} frame={frame}>
      <h1>Is this your terminal?</h1>
      {problem === undefined ? null : (
        <p class="notice bad" role="alert">
          <Foreign text={problem} whole />
        </p>
      )}
      <dl class="facts">
        <Fact name="Program">{userAgent === undefined ? 'did not say' : <Foreign text={userAgent} />}</Fact>
        <Fact name="Address">
          {address ?? 'not known'}
          {address !== undefined && address === ownAddress ? ', the same as yours here' : ''}
        </Fact>
        {ownAddress === undefined || ownAddress === address ? null : <Fact name="Your address">{ownAddress}</Fact>}
        {asked === undefined ? null : (
          <Fact name="Asked">
            <When at={Date.parse(asked)} now={frame.now} />
          </Fact>
        )}
      </dl>
      {address === ownAddress ? null : (
        <p class="notice warn">
          It is not where you are. Go on only if you typed <code>portcullis login</code> there yourself.
        </p>
      )}
      <p>
        It will have an access token of <b>{frame.viewer.name}</b>, which you can revoke in{' '}
        <a href="/ui/me">My account</a>.
      </p>
      <form class="fields" method="post" action={answerPath}>
        <input type="hidden" name="csrf" value={frame.csrf(answerPath)} />
        <input type="hidden" name="code" value={code} />
        <input type="hidden" name="address" value={address ?? ''} />
        <input type="hidden" name="userAgent" value={userAgent ?? ''} />
        <TokenFields
          longestSeconds={longestSeconds}
          typed={typed}
          label={`terminal at ${address ?? 'an unknown address'}`}
        />
        <div class="answers">
          <button class="primary" name="allow" value="yes">
            Let it in
          </button>
          <button name="allow" value="no">
            No, end it
          </button>
        </div>
      </form>
    </Layout>
  );
}

function Fact(props: { readonly name: string; readonly children: preact.ComponentChildren }) {
  return (
    <div>
      <dt>{props.name}</dt>
      <dd>{props.children}</dd>
    </div>
  );
}

/** What became of it. */
export function DeviceAnsweredPage({ frame, isAllowed }: { readonly frame: Frame; readonly isAllowed: boolean }) {
  return (
    <Layout title="Let a terminal in" at={at} frame={frame}>
      <h1>{isAllowed ? 'The terminal is let in' : 'The terminal is refused'}</h1>
      <p>{isAllowed ? 'It goes on within seconds. You can close this page.' : 'It has nothing of yours.'}</p>
      <p>
        <a href="/ui/me">My account</a>
      </p>
    </Layout>
  );
}
