// Calls of the HTTP API: submit a job, follow its events, fetch its result.

import { Problem } from "./problem.js";

export class Api {
  /** @param {() => string} key the API key, or an empty string */
  constructor(key) {
    this.key = key;
  }

  /** Send a request; a response that is not 2xx or 304 is thrown as a `Problem`. */
  async request(path, options = {}) {
    const headers = new Headers(options.headers);
    if (this.key()) headers.set("Authorization", `Bearer ${this.key()}`);
    let response;
    try {
      response = await fetch(path, { ...options, headers });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Problem("The service cannot be reached", "Check that it runs, then try again.");
    }
    if (!response.ok) throw await problemOf(response);
    return response;
  }

  async models() {
    return (await (await this.request("v1/models")).json()).data;
  }

  /** Submit a form as a background job; returns its status document. */
  async submit(form, signal) {
    const headers = { Prefer: "respond-async", Accept: "application/json", "Idempotency-Key": randomKey() };
    return (await this.request("inpaint", { method: "POST", body: form, headers, signal })).json();
  }

  /**
   * Follow a job to its end. The stream is opened again where it breaks, from the last event on.
   * @param {(status: object) => void} onStatus called with each state
   * @returns {Promise<object>} the last state
   */
  async follow(job, onStatus, signal) {
    let last = null, seen = "", failures = 0;
    for (;;) {
      try {
        const headers = seen ? { "Last-Event-ID": seen } : {};
        const response = await this.request(`jobs/${job}/events`, { headers, signal });
        for await (const event of serverEvents(response)) {
          failures = 0;
          seen = event.id || seen;
          last = JSON.parse(event.data);
          onStatus(last);
        }
        if (last && isEnd(last.state)) return last;
      } catch (error) {
        const retry = error instanceof Problem ? error.status === 0 || error.status >= 500 : error.name === "TypeError";
        if (!retry || ++failures > 5) throw error;
      }
      await pause(250 * 2 ** failures, signal);
    }
  }

  async result(job, signal) {
    const headers = { Accept: "application/json" };
    return (await this.request(`jobs/${job}/result`, { headers, signal })).json();
  }

  async cancel(job) {
    await this.request(`jobs/${job}`, { method: "DELETE" });
  }
}

export const isEnd = (state) => !["queued", "running"].includes(state);

/** Parse a `text/event-stream` body (HTML standard, server-sent events). */
export async function* serverEvents(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "", event = { id: "", data: [] };
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    const lines = text.split(/\r\n|\n|\r(?!$)/);
    text = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (event.data.length) yield { id: event.id, data: event.data.join("\n") };
        event = { id: "", data: [] };
        continue;
      }
      const colon = line.indexOf(":");
      const name = colon < 0 ? line : line.slice(0, colon);
      const content = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (name === "data") event.data.push(content);
      if (name === "id") event.id = content;
    }
  }
}

async function problemOf(response) {
  const wait = Number(response.headers.get("Retry-After")) || null;
  const type = response.headers.get("Content-Type") ?? "";
  if (!type.includes("json")) return new Problem(`The service answered with status ${response.status}`, "", response.status, wait);
  const { title, detail } = await response.json();
  return new Problem(title ?? `Status ${response.status}`, detail ?? "", response.status, wait);
}

function randomKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("cancelled", "AbortError"));
    });
  });
}
