// An agent that issues its own tokens: Cloudflare's OAuth provider in front of the Agents SDK, in one Worker, as the provider's documentation has it.

import { AIChatAgent } from "@cloudflare/ai-chat";
import { AuthorizationError, OAuthProvider } from "@cloudflare/workers-oauth-provider";
import { routeAgentRequest } from "agents";
import { createUIMessageStream, createUIMessageStreamResponse } from "ai";

const AGENT = "/agents/chat-agent";
const TOKEN = "/oauth/token";
/** Where a test asks for an answer of the token endpoint to be lost. */
const LOSE = "test:lose-a-reply";

/** Says back what it was told, in pieces. */
export class ChatAgent extends AIChatAgent {
  async onChatMessage() {
    const said = this.messages.at(-1).parts.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("");
    const stream = createUIMessageStream({
      execute: ({ writer }) => {
        writer.write({ type: "text-start", id: "echo" });
        for (const word of `You said: ${said}`.split(/(?<= )/)) writer.write({ type: "text-delta", id: "echo", delta: word });
        writer.write({ type: "text-end", id: "echo" });
      },
    });
    return createUIMessageStreamResponse({ stream });
  }
}

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
    apiHandler: { fetch: async (request, env) => (await routeAgentRequest(request, env)) ?? new Response("Not found", { status: 404 }) },
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
