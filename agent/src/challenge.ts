/** Where the metadata of this protected resource is (RFC 9728, section 3). */
export const METADATA = "/.well-known/oauth-protected-resource";

/** How a token comes: by itself (RFC 6750), or with a proof (RFC 9449). */
export type Scheme = "Bearer" | "DPoP";

/** The token is missing or no good. */
export class Refusal extends Error {
  override readonly name = "Refusal";

  constructor(
    readonly status: 400 | 401,
    /** Code of RFC 6750, section 3.1, or of RFC 9449, section 7.1. Left out where no token was sent at all. */
    readonly code?: "invalid_request" | "invalid_token" | "invalid_dpop_proof",
    description = "",
    /** How the token came. */
    readonly scheme: Scheme = "Bearer",
  ) {
    super(description);
  }
}

/**
 * A refusal with the challenges that say how to come in and where to get a token (RFC 6750, section 3; RFC 9449, section 7.1; RFC 9728,
 * section 5.1).
 */
export function challenge(refusal: Refusal, origin: string, audience: string, algorithms: readonly string[]): Response {
  const told = (scheme: Scheme): string[] =>
    refusal.code === undefined || refusal.scheme !== scheme
      ? []
      : [`error="${refusal.code}"`, `error_description="${quotable(refusal.message)}"`];
  const bearer = [`realm="${quotable(audience)}"`, ...told("Bearer"), `resource_metadata="${origin}${METADATA}"`];
  const dpop = [`algs="${algorithms.join(" ")}"`, ...told("DPoP")];
  const text = refusal.status === 401 ? "Unauthorized" : "Bad request";
  return plain(refusal.status, text, { "WWW-Authenticate": `Bearer ${bearer.join(", ")}, DPoP ${dpop.join(", ")}` });
}

/** The token is good, the conversation is somebody else's. */
export function notYours(): Response {
  return plain(403, "This chat is not yours.");
}

/** The token cannot be judged now. Not a 401: the client shall keep it and come again. */
export function tenantAway(): Response {
  return plain(503, "The tenant's keys cannot be fetched.", { "Retry-After": "1" });
}

export function plain(status: number, text: string, headers: Record<string, string> = {}): Response {
  return new Response(text, { status, headers: { "Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store", ...headers } });
}

/** As a quoted-string of RFC 9110 can carry it. */
function quotable(text: string): string {
  return text.replaceAll('"', "'").replace(/[^\x20-\x7e]|\\/g, " ").slice(0, 200);
}
