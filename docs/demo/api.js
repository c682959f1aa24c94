// Takes the place of the page's `api.js` where there is no service: the same class, but the photo
// is filled by a worker of this browser.

import { fetchJson } from "../assets.js";
import { Problem } from "./problem.js";

export const isEnd = (state) => state === "done";

export class Api {
  constructor() {
    this.jobs = new Map();
    this.count = 0;
    this.isReady = false;
    this.model = fetchJson(new URL("../model.json", import.meta.url));
    this.worker = this.#startWorker();
  }

  async models() {
    const { name } = await this.model;
    return [{ id: name, default: true }];
  }

  async submit(form) {
    const id = `fill-${++this.count}`;
    this.jobs.set(id, form);
    return { id, state: this.isReady ? "running" : "Loading the model…" };
  }

  /** Fill; `onStatus` gets the progress of loading. */
  async follow(id, onStatus, signal) {
    const answer = ask(this.worker, { id, ...readForm(this.jobs.get(id)) }, onStatus, signal);
    this.jobs.set(id, await Promise.race([answer, this.failed]));
    return { state: "done" };
  }

  async result(id) {
    const { milliseconds, others, truncated, unknown, ...rest } = this.jobs.get(id);
    const { name, digest } = await this.model;
    this.jobs.delete(id);
    return {
      ...rest, comparison: { images: others }, caption_truncated: truncated, caption_unknown: unknown,
      model: name, bundle: digest, engine: "onnxruntime-web", notes: [], queue_ms: 0, inference_ms: milliseconds,
    };
  }

  async cancel(id) {
    this.jobs.delete(id);
    this.worker.postMessage({ cancel: id });
  }

  #startWorker() {
    const worker = new Worker(wrapScript(new URL("../worker.js", import.meta.url)), { type: "module" });
    this.failed = new Promise((_, reject) => {
      worker.addEventListener("error", () => reject(new Problem("The model cannot be started", "Use a current browser.")));
    });
    this.failed.catch(() => {}); // shown at the first fill
    worker.addEventListener("message", ({ data }) => {
      if (!data.ready) return;
      this.isReady = true;
      keepPage();
    });
    return worker;
  }
}

/** A script in a blob is bound by this page's content policy; one with an address of its own is not. */
function wrapScript(address) {
  return URL.createObjectURL(new Blob([`import ${JSON.stringify(address.href)};`], { type: "text/javascript" }));
}

/** Works offline from the next visit on, where the browser allows it. */
async function keepPage() {
  try {
    await navigator.serviceWorker?.register("sw.js");
  } catch (error) {
    console.warn(`The page will not work offline: ${error.message}`);
  }
}

function readForm(form) {
  const options = {
    region: form.get("region").split(",").map(Number), seed: Number(form.get("seed")), n: Number(form.get("n")),
    temperature: Number(form.get("temperature")), compare: form.get("compare") ?? "",
  };
  return { photo: form.get("image"), caption: form.get("caption"), options };
}

/** Send a message to the worker and wait for its answer. */
function ask(worker, message, onStatus, signal) {
  const listening = new AbortController();
  const { promise, resolve, reject } = withResolvers();
  const options = { signal: listening.signal };
  signal.addEventListener("abort", () => reject(signal.reason), options);
  worker.addEventListener("message", ({ data }) => {
    if (data.progress) onStatus({ state: `Loading the model, ${Math.floor(100 * data.progress)} %` });
    if (data.ready) onStatus({ state: "running" });
    if (data.id !== message.id) return;
    if (data.result) resolve(data.result);
    else reject(new Problem(data.error.isInput ? "This cannot be filled" : "The fill failed", data.error.message));
  }, options);
  worker.postMessage(message);
  return promise.finally(() => listening.abort());
}

function withResolvers() {
  let resolve, reject;
  const promise = new Promise((...both) => ([resolve, reject] = both));
  return { promise, resolve, reject };
}
