// Workers KV in memory, as the runtime asks for it; and for a test that wants to look at it, or to put something into it.

const stored = new Map();

const alive = ({ until }) => until > Date.now();

function list(query) {
  const prefix = query.get("prefix") ?? "";
  const found = [...stored].filter(([name, entry]) => name.startsWith(prefix) && alive(entry)).map(([name]) => ({ name }));
  return Response.json({ keys: found, list_complete: true });
}

export default {
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    const name = decodeURIComponent(pathname.slice(1));
    if (request.method === "GET" && name === "") return list(searchParams);
    if (request.method === "PUT") {
      const seconds = searchParams.get("expiration_ttl");
      const at = searchParams.get("expiration");
      const until = seconds !== null ? Date.now() + seconds * 1000 : at !== null ? at * 1000 : Infinity;
      stored.set(name, { value: await request.arrayBuffer(), until });
      return new Response();
    }
    if (request.method === "DELETE") {
      stored.delete(name);
      return new Response();
    }
    const found = stored.get(name);
    return found && alive(found) ? new Response(found.value) : new Response(null, { status: 404 });
  },
};
