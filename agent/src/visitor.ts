/** Who is at the door, as the Worker found out and the conversation is told. */
export interface Visitor {
  readonly issuer: string;
  readonly subject: string;
  /** When the token runs out, in seconds since 1970. */
  readonly expires: number;
}

const HEADER = "x-callbox-visitor";

/** What of a request goes on to the conversation: enough for HTTP and for the upgrade. */
const PASSED_ON = ["accept", "connection", "content-length", "content-type", "upgrade"];

/** The one query parameter of the protocol: the client's own name for its socket. */
const CONNECTION = "_pk";

/**
 * The same request with the visitor in place of the token. Only what is known passes, so a client can neither pose as somebody nor
 * reach the SDK's own switches, and the token ends here.
 */
export function introduce(request: Request, visitor: Visitor): Request {
  const headers = new Headers();
  for (const [name, value] of request.headers) {
    if (PASSED_ON.includes(name) || name.startsWith("sec-websocket-")) headers.set(name, value);
  }
  // Encoded, because a subject may have any character and a header may not.
  headers.set(HEADER, encodeURIComponent(JSON.stringify(visitor)));

  const url = new URL(request.url);
  const connection = url.searchParams.get(CONNECTION);
  url.search = connection === null ? "" : new URLSearchParams([[CONNECTION, connection]]).toString();
  return new Request(new Request(url, request), { headers });
}

/** The visitor of a request that came through `introduce`. */
export function visitorOf(request: Request): Visitor | undefined {
  const value = request.headers.get(HEADER);
  return value === null ? undefined : (JSON.parse(decodeURIComponent(value)) as Visitor);
}
