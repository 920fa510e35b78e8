// Drives the published client from a test: it holds the state that the client
// is in, calls its methods by name, and says what came of each.
import { CustomAuthPublicClientApplication } from "@azure/msal-browser/custom-auth";

let app;
let state;
let account;

// shown is a result of the client as plain data. Where it is an error the state
// stays, as an application would keep it.
function shown(result) {
  if (result.error) {
    const data = result.error.errorData || {};
    const asks = {};
    for (const name of ["isInvalidCode", "isIncorrectChallenge", "isPasswordIncorrect", "isUserNotFound", "isRedirectRequired", "isInvalidPassword",
      "isUserAlreadyExists", "isVerificationContactBlocked", "isInvalidNewPassword", "isInvalidVerificationContact"]) {
      if (typeof result.error[name] === "function" && result.error[name]()) asks[name] = true;
    }
    return { error: data.error || data.errorCode || String(data), sub: data.subError || "", asks, reason: data.redirectReason || "" };
  }
  state = result.state;
  account = result.data || account;
  const out = { state: state ? state.stateType : "" };
  if (state && state.getAuthMethods) out.methods = state.getAuthMethods();
  if (state && state.getChannel) out.channel = state.getChannel();
  if (state && state.getSentTo) out.sentTo = state.getSentTo();
  if (state && state.getCodeLength) out.codeLength = state.getCodeLength();
  if (state && state.getRequiredAttributes) out.attributes = state.getRequiredAttributes();
  return out;
}

window.driver = {
  async create(clientId, api, challengeTypes, capabilities) {
    app = await CustomAuthPublicClientApplication.create({
      auth: { clientId, authority: "https://login.contoso.example/native", redirectUri: location.origin },
      cache: { cacheLocation: "sessionStorage" },
      customAuth: { challengeTypes, capabilities, authApiProxyUrl: api },
    });
    return {};
  },
  async start(method, inputs) { return shown(await app[method](inputs)); },
  async go(method, ...args) { return shown(await state[method](...args)); },
  // second registers a second factor: by channel and where to.
  async enrol(channel, contact) {
    const method = state.getAuthMethods().find((m) => m.challenge_channel === channel);
    return shown(await state.challengeAuthMethod({ authMethodType: method, verificationContact: contact }));
  },
  async ask(channel) {
    const method = state.getAuthMethods().find((m) => m.challenge_channel === channel);
    return shown(await state.requestChallenge(method.id));
  },
  async askAgain(id) { return shown(await state.requestChallenge(id)); },
  async tokens(forceRefresh, scopes) {
    const got = await account.getAccessToken({ forceRefresh, scopes });
    if (got.error) return { error: got.error.errorData.error || got.error.errorData.errorCode };
    return { idToken: got.data.idToken, accessToken: got.data.accessToken, scopes: got.data.scopes, username: got.data.account.username,
      id: got.data.account.homeAccountId };
  },
  async out() { await account.signOut(); account = undefined; state = undefined; return {}; },
};
