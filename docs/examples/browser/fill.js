/**
 * Fill the hidden region of a photo, as a job whose events are followed.
 *
 * @param {string} address of the service, such as http://127.0.0.1:8000
 * @param {Blob} photo PNG, JPEG or WebP
 * @param {string} caption what the photo shows
 * @param {{key?: string, fields?: object, onStatus?: (status: object) => void}} options
 *   key: an API key; fields: more fields of POST /inpaint, such as seed and region;
 *   onStatus: called with the job's status at each event
 * @returns {Promise<ImageBitmap>} the filled photo, at its own size
 */
export async function fill(address, photo, caption, { key, fields = {}, onStatus } = {}) {
  const headers = key ? { "X-API-Key": key } : {};
  const form = new FormData();
  form.append("image", photo);
  form.append("caption", caption);
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  const accepted = await request(`${address}/inpaint`, {
    method: "POST",
    body: form,
    headers: { ...headers, Prefer: "respond-async" },
  });
  const job = await accepted.json();
  const end = await follow(address + job.links.event_source, onStatus);
  if (end.state !== "done") throw new Error(`the job is ${end.state}: ${end.reason ?? ""}`);
  const result = await request(address + job.links.result, {
    headers: { ...headers, Accept: "image/png" },
  });
  return createImageBitmap(await result.blob());
}

/** The response to a request; an error with the problem's detail where it is refused. */
async function request(url, options) {
  const response = await fetch(url, options);
  if (!response.ok) throw new Error((await response.json()).detail);
  return response;
}

/** The last status of a job. EventSource connects again by itself where a connection breaks. */
function follow(url, onStatus) {
  const source = new EventSource(url);
  return new Promise((resolve, reject) => {
    const read = (event) => {
      const status = JSON.parse(event.data);
      onStatus?.(status);
      if (["queued", "running"].includes(status.state)) return;
      source.close();
      resolve(status);
    };
    for (const name of EVENTS) source.addEventListener(name, read);
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) reject(new Error("the events ended early"));
    });
  });
}

const EVENTS = [
  "queued", "progress", "running", "done", "failed", "cancelled", "expired", "lost",
];
