// An agent that issues its own tokens: Cloudflare's OAuth provider in front of the Agents SDK, in one Worker, as the provider's documentation has it.

import { AuthorizationError, OAuthProvider } from "@cloudflare/workers-oauth-provider";
import { route } from "./agent.mjs";

export { ChatAgent } from "./agent.mjs";

const AGENT = "/agents/chat-agent";
const TOKEN = "/oauth/token";
/** Where a test asks for an answer of the token endpoint to be lost. */
const LOSE = "test:lose-a-reply";

const escape = (text) => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

/** The page at which a person lets an app in. Whoever opens it is Ada: who somebody is, is not what is tested here. */
async function authorize(request, env) {
  const oauth = env.OAUTH_PROVIDER;
  try {
    if (request.method !== "POST") {
      const asked = await oauth.parseAuthRequest(request);
      const { clientName, redirectHost, scope } = await oauth.describeConsent(asked);
      const consent = await oauth.beginConsent(asked);
      consent.headers.set("content-type", "text/html; charset=utf-8");
      const page = `<!doctype html><title>Let an app in</title>
        <h1>Ada, let ${escape(clientName)} talk to the agent?</h1>
        <p>It is at ${escape(redirectHost)} and asks for ${escape(scope.join(", "))}.</p>
        <form method="post"><input type="hidden" name="handle" value="${escape(consent.handle)}">
        <button name="decision" value="approve">Allow</button> <button name="decision" value="deny">Deny</button></form>`;
      return new Response(page, { headers: consent.headers });
    }
    const form = await request.formData();
    const handle = String(form.get("handle"));
    if (form.get("decision") !== "approve") {
      return new Response(null, { status: 302, headers: (await oauth.denyConsent(request, handle)).headers });
    }
    const approved = await oauth.approveConsent(request, handle);
    const granted = { request: approved.request, userId: "ada", scope: approved.request.scope, metadata: {}, props: { userId: "ada" } };
    const { redirectTo } = await oauth.completeAuthorization(granted);
    approved.headers.set("location", redirectTo);
    return new Response(null, { status: 302, headers: approved.headers });
  } catch (error) {
    if (!(error instanceof AuthorizationError)) throw error;
    if (error.redirectTo) return Response.redirect(error.redirectTo, 302);
    return new Response(error.description, { status: 400 });
  }
}

const provide = (origin) =>
  new OAuthProvider({
    apiRoute: AGENT,
    apiHandler: { fetch: route },
    defaultHandler: {
      fetch: (request, env) => (new URL(request.url).pathname === "/authorize" ? authorize(request, env) : new Response("Not found", { status: 404 })),
    },
    authorizeEndpoint: "/authorize",
    tokenEndpoint: TOKEN,
    clientRegistrationEndpoint: "/oauth/register",
    scopesSupported: ["chat", "offline_access"],
    requiredScopes: ["chat"],
    resourceMetadata: { resource: `${origin}${AGENT}`, authorization_servers: [origin], resource_name: "An agent that issues its own tokens" },
    accessTokenTTL: 60,
  });

let provider;

export default {
  async fetch(request, env, context) {
    const { origin, pathname } = new URL(request.url);
    provider ??= provide(origin);
    const answer = await provider.fetch(request, env, context);
    if (pathname !== TOKEN || (await env.OAUTH_KV.get(LOSE)) === null) return answer;
    await env.OAUTH_KV.delete(LOSE);
    // The provider has done what it was asked; its answer breaks off.
    return new Response(new ReadableStream({ start: (controller) => controller.error(new Error("lost")) }), answer);
  },
};
