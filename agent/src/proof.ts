import { EmbeddedJWK, type JWTPayload, base64url, calculateJwkThumbprint, errors, jwtVerify } from "jose";
import { Refusal } from "./challenge";

/** What apps sign their proofs with (RFC 9449, section 5.1). */
export const PROOF_ALGORITHMS = ["ES256"];
/** How far the times of a proof and of this server may be apart. */
const WINDOW_S = 60;
/** How many proofs are remembered at most. */
const MAX_SEEN = 20_000;

/**
 * The proofs of the last minutes, in the order in which they came, with the time until which each would still be young enough to be
 * accepted. Kept for all requests of this isolate: another one does not know them, so what keeps a proof from being used twice
 * everywhere is that it is for one address, one token and one minute.
 */
const seen = new Map<string, number>();

/** Checks that whoever brings a token has the key that it is bound to (RFC 9449, section 4.3). Throws a `Refusal`. */
export async function prove(request: Request, token: string, jkt: string): Promise<void> {
  const proof = request.headers.get("DPoP") ?? "";
  // Two fields would have been joined by a comma.
  if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(proof)) throw refusal("there is no proof, or more than one");
  const { claims, thumbprint } = await open(proof);
  if (claims["htm"] !== request.method) throw refusal("htm mismatch");
  if (bare(claims["htu"]) !== bare(request.url)) throw refusal("htu mismatch");
  const now = Date.now() / 1000;
  const issued = claims.iat ?? Number.NaN;
  if (!(Math.abs(now - issued) <= WINDOW_S)) throw refusal("iat is not recent enough");
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token));
  if (claims["ath"] !== base64url.encode(new Uint8Array(hash))) throw refusal("ath mismatch");
  if (thumbprint !== jkt) throw new Refusal(401, "invalid_token", "the token is not bound to the key of the proof", "DPoP");
  if (typeof claims.jti !== "string" || claims.jti === "") throw refusal("there is no jti");
  if (!isNew(`${thumbprint} ${claims.jti}`, now, Math.max(now, issued) + WINDOW_S)) throw refusal("jti was used before");
}

/** What a proof says, and the thumbprint of the key that signed it. */
async function open(proof: string): Promise<{ claims: JWTPayload; thumbprint: string }> {
  try {
    // The key that it brings along, which has to be a public one.
    const { payload, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, { typ: "dpop+jwt", algorithms: PROOF_ALGORITHMS });
    return { claims: payload, thumbprint: await calculateJwkThumbprint(protectedHeader.jwk ?? {}) };
  } catch (error) {
    if (error instanceof errors.JOSEError || error instanceof TypeError) throw refusal(error.message);
    throw error;
  }
}

function refusal(why: string): Refusal {
  return new Refusal(401, "invalid_dpop_proof", why, "DPoP");
}

/** An address without query and fragment, as addresses are compared (RFC 3986, section 6.2). */
function bare(address: unknown): string | undefined {
  if (typeof address !== "string" || !URL.canParse(address)) return undefined;
  const { origin, pathname } = new URL(address);
  return origin + pathname;
}

function isNew(id: string, now: number, until: number): boolean {
  if (seen.has(id)) return false;
  for (const [old, end] of seen) {
    if (end >= now && seen.size < MAX_SEEN) break;
    seen.delete(old);
  }
  seen.set(id, until);
  return true;
}
