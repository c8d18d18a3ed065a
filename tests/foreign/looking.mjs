// An agent for the tokens of a company's server elsewhere, which it looks up there (RFC 7662), behind the resource server of Cloudflare's library.

import { OAuthResourceServer } from "@cloudflare/workers-oauth-provider";
import { route } from "./agent.mjs";

export { ChatAgent } from "./agent.mjs";

const AGENT = "/agents/chat-agent";

const lookUp = (env) => async (resource, token) => {
  const answer = await fetch(env.INTROSPECTION, {
    method: "POST",
    headers: { authorization: `Basic ${btoa(`the-agent:${env.SECRET}`)}` },
    body: new URLSearchParams({ token }),
  });
  const { active, username, scope, exp, aud = [] } = await answer.json();
  if (!active || !aud.includes(resource)) return null;
  return { props: { userId: username }, audience: resource, expiresAt: exp, scope: scope.split(" ") };
};

const guard = (origin, issuer) =>
  new OAuthResourceServer({
    resourceMetadata: { resource: `${origin}${AGENT}`, authorization_servers: [issuer], resource_name: "An agent of the company" },
    requiredScopes: ["chat"],
    validateToken: lookUp,
    handler: { fetch: route },
  });

let guarded;

export default {
  fetch(request, env, context) {
    guarded ??= guard(new URL(request.url).origin, env.ISSUER);
    return guarded.fetch(request, env, context);
  },
};
