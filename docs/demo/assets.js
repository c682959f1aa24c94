// Loads files of this site once, and keeps them in the browser's cache.

const CACHE = "captionfill-models";

/**
 * Load a file whose name changes with its content; one that is stored as gzip is unpacked.
 * @param {URL} address
 * @param {(bytes: number) => void} onBytes called with the size of each piece that arrives
 * @returns {Promise<{bytes: Uint8Array, isKept: boolean}>} and whether it was in the cache
 */
export async function loadFile(address, onBytes) {
  const kept = await (await openCache())?.match(address);
  if (kept) return { bytes: new Uint8Array(await kept.arrayBuffer()), isKept: true };
  return { bytes: await fetchBytes(address, onBytes), isKept: false };
}

/** Keep files, unpacked, for the next visit, and drop those of other versions. */
export async function keepFiles(files) {
  const cache = await openCache();
  if (!cache) return;
  const folder = new URL(".", files[0].address).href, wanted = files.map(({ address }) => address.href);
  const found = (await cache.keys()).map(({ url }) => url).filter((url) => url.startsWith(folder));
  await Promise.all(found.filter((url) => !wanted.includes(url)).map((url) => cache.delete(url)));
  for (const { address, bytes } of files.filter(({ isKept }) => !isKept)) await cache.put(address, new Response(bytes));
}

/** Null where the browser has none, as on an insecure origin, or allows none. */
const openCache = async () => globalThis.caches?.open(CACHE).catch(() => null);

/** @returns {Promise<object>} a JSON file, which is not kept */
export async function fetchJson(address) {
  return (await respond(address)).json();
}

async function respond(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address.pathname} cannot be loaded: status ${response.status}`);
  return response;
}

async function fetchBytes(address, onBytes) {
  const pieces = [];
  for await (const piece of readPieces((await respond(address)).body)) {
    onBytes(piece.length);
    pieces.push(piece);
  }
  const bytes = join(pieces);
  // A server may have declared the gzip as the transfer's encoding: then it is unpacked already.
  return bytes[0] === 0x1f && bytes[1] === 0x8b ? unpack(bytes) : bytes;
}

async function* readPieces(stream) { // Safari cannot iterate over a stream
  const reader = stream.getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    yield value;
  }
}

function join(pieces) {
  const out = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
}

async function unpack(bytes) {
  const stream = new Response(bytes).body.pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
