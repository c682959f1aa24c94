// Keeps the files of the page, so that it works offline after the first visit. Those of the model
// are kept by `assets.js`.

// The build writes a hash of all files and their names here.
const { version, files } = /* files */ null;

const CACHE = `captionfill-page-${version}`;
const paths = new Set(files.map((name) => new URL(name, registration.scope).pathname));

addEventListener("install", (event) => {
  const requests = files.map((name) => new Request(name, { cache: "no-cache" }));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(requests)));
});

addEventListener("activate", (event) => event.waitUntil(dropOld().then(() => clients.claim())));

async function dropOld() {
  const old = (await caches.keys()).filter((name) => name.startsWith("captionfill-page-") && name !== CACHE);
  await Promise.all(old.map((name) => caches.delete(name)));
}

addEventListener("fetch", (event) => {
  const { pathname, origin } = new URL(event.request.url);
  if (event.request.method === "GET" && origin === location.origin && paths.has(pathname)) event.respondWith(answer(event.request));
});

async function answer(request) {
  const cache = await caches.open(CACHE);
  return (await cache.match(request, { ignoreSearch: true })) ?? fetch(request);
}
