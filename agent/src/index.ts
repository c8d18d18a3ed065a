import { routeAgentRequest } from "agents";
import { METADATA, Refusal, challenge, plain, tenantAway } from "./challenge";
import type { Env } from "./env";
import { TenantAway } from "./keys";
import { PROOF_ALGORITHMS } from "./proof";
import { authenticate } from "./token";
import { introduce } from "./visitor";

export { ChatAgent } from "./chat-agent";

const AGENT = "chat-agent";
/** The platform's limit for the name of a Durable Object. */
const MAX_NAME = 1024;

export default {
  async fetch(request, env): Promise<Response> {
    const { origin, pathname } = new URL(request.url);
    if (pathname === "/health") return plain(200, "ok");
    if (pathname === METADATA || pathname.startsWith(`${METADATA}/`)) return metadata(origin, pathname, env);
    if (!isOriginAllowed(request, env)) return plain(403, "This origin may not connect.");
    const misdirected = wrongPath(pathname);
    if (misdirected !== undefined) return misdirected;
    try {
      // Here and not in the agent: the SDK sends frames on a new socket before any code of the agent could look at it.
      const visitor = await authenticate(request, env);
      return (await routeAgentRequest(introduce(request, visitor), env)) ?? plain(404, "Not found");
    } catch (error) {
      if (error instanceof Refusal) return challenge(error, origin, env.AUDIENCE ?? "", PROOF_ALGORITHMS);
      if (error instanceof TenantAway) return tenantAway();
      console.error(error);
      return plain(500, "The agent failed.");
    }
  },
} satisfies ExportedHandler<Env>;

/** What a client reads to find the tenant (RFC 9728, section 2). At the bare path it is about the whole origin. */
function metadata(origin: string, pathname: string, env: Env): Response {
  return Response.json({
    resource: origin + pathname.slice(METADATA.length),
    resource_name: "Callbox agent",
    authorization_servers: [env.ISSUER],
    bearer_methods_supported: ["header"],
    dpop_signing_alg_values_supported: PROOF_ALGORITHMS,
    scopes_supported: ["openid", "profile", "email", "offline_access"],
    // What to ask the tenant for: its tokens name this, not the address.
    audience: env.AUDIENCE,
  });
}

/** A web page cannot set the header, but it must not get to try with whatever else a browser may attach. */
function isOriginAllowed(request: Request, env: Env): boolean {
  const origin = request.headers.get("Origin");
  return origin === null || (origin !== "" && (env.ALLOWED_ORIGINS ?? "").split(/\s+/).includes(origin));
}

/** The answer to a path that is not `/agents/chat-agent/{name}[/…]`. */
function wrongPath(pathname: string): Response | undefined {
  const [prefix, agent, name] = pathname.split("/").filter((segment) => segment !== "");
  if (prefix !== "agents" || agent === undefined || name === undefined) return plain(404, "Not found");
  return agent === AGENT && name.length <= MAX_NAME ? undefined : plain(400, "Invalid request");
}
