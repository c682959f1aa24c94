// Fill a photo, at once and as a job, with types from openapi-typescript and openapi-fetch.
// Usage: node fill.js ADDRESS KEY PHOTO RESULT JOB_RESULT
import { readFile, writeFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import createClient from "openapi-fetch";
import type { components, paths } from "./captionfill.js";

const [address, key, photo, result, jobResult] = process.argv.slice(2);
const api = createClient<paths>({ baseUrl: address, headers: { "X-API-Key": key } });

// OpenAPI describes a file as a string; in a form it is a Blob.
const image = new Blob([await readFile(photo)]) as unknown as string;

function form(fields: object): FormData {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields))
    data.append(name, value instanceof Blob ? value : String(value));
  return data;
}

async function save(answer: components["schemas"]["InpaintAnswer"], path: string) {
  await writeFile(path, Buffer.from(answer.images[0], "base64"));
}

const filled = await api.POST("/inpaint/json", {
  body: { image, caption: "a dog runs through the grass", seed: 7 },
  bodySerializer: form,
});
if (!filled.data || !("images" in filled.data)) throw new Error(filled.error?.detail);
await save(filled.data, result);

const accepted = await api.POST("/inpaint/json", {
  params: { header: { Prefer: "respond-async" } },
  body: { image, caption: "a cat", seed: 7 },
  bodySerializer: form,
});
if (!accepted.data || !("links" in accepted.data)) throw new Error(accepted.error?.detail);
const path = { job: accepted.data.id };
for (let state: string = accepted.data.state; ["queued", "running"].includes(state); ) {
  await setTimeout(100);
  const status = await api.GET("/jobs/{job}", { params: { path } });
  if (!status.data) throw new Error(status.error.detail);
  state = status.data.state;
}
const done = await api.GET("/jobs/{job}/result/json", { params: { path } });
if (!done.data) throw new Error(done.error.detail);
await save(done.data, jobResult);

const refused = await api.POST("/inpaint/json", {
  body: { image, caption: "" },
  bodySerializer: form,
});
console.log(refused.error?.detail);
