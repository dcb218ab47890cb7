// A certified OpenID provider (npm: oidc-provider) for one client: `node oidc_provider.mjs PORT REDIRECT_URI`.
import { Provider } from 'oidc-provider';

const [port, redirectUri] = process.argv.slice(2);
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ client_id: 'unpuzzle', client_secret: 'a-secret', redirect_uris: [redirectUri], token_endpoint_auth_method: 'client_secret_basic' }],
  pkce: { required: () => true },
  features: { devInteractions: { enabled: true } },
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: `${id}@peer.example`, email_verified: id !== 'unconfirmed', name: `Peer ${id}` }),
  }),
});
provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
