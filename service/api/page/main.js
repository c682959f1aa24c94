// The page: connects the photo, the form, the service and the result.

import { Api, isEnd } from "./api.js";
import { Problem } from "./problem.js";
import { RegionEditor, centralRegion } from "./region.js";
import { differences, linkOf, recordOf, shortHash, snippet } from "./share.js";
import { Viewer, decodePng, deviation, difference, drawCrop, largest, mean, pngBlob } from "./viewer.js";

const MODEL_SIDE = 32; // pixels that the generator makes of a hole, whatever its size
const LARGE = 4; // times as large a hole is stretched visibly

const $ = (id) => document.getElementById(id);
const state = { file: null, bitmap: null, example: "", running: null, answer: null, images: [], others: [], chosen: 0, view: "fill", link: recordOf(location.hash) };

const api = new Api(() => $("key").value.trim());
const editor = new RegionEditor($("picture"), $("region"), { left: $("left"), top: $("top"), side: $("side") }, warnOfSize);
const viewer = new Viewer({
  under: $("under"), over: $("over"), divider: $("divider"), slider: $("slider"),
  sliderLabel: $("slider-label"), left: $("slider-left"), right: $("slider-right"),
});

start();

function start() {
  $("key").value = readKey();
  listenForPhotos();
  listenToForm();
  listenToResult();
  showExamples();
  showModels();
  if (state.link) applyLink(state.link);
}

// Photo

function listenForPhotos() {
  $("choose").addEventListener("click", () => $("file").click());
  $("take").addEventListener("click", () => $("camera").click());
  for (const input of [$("file"), $("camera")]) {
    input.addEventListener("change", () => {
      if (input.files[0]) usePhoto(input.files[0]);
      input.value = "";
    });
  }
  $("another").addEventListener("click", () => {
    for (const part of ["stage", "region-form"]) $(part).hidden = true;
    $("drop").hidden = false;
    $("choose").focus();
  });
  addEventListener("dragover", (event) => {
    event.preventDefault();
    $("drop").classList.add("over");
  });
  addEventListener("dragleave", () => $("drop").classList.remove("over"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    $("drop").classList.remove("over");
    takeFrom(event.dataTransfer.files);
  });
  addEventListener("paste", (event) => takeFrom(event.clipboardData.files));
}

function takeFrom(files) {
  if (files.length) usePhoto(files[0]);
}

async function usePhoto(file, { example = "", region = null } = {}) {
  hideProblem();
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    return showProblem(new Problem("This file cannot be shown", "Choose a PNG, JPEG, WebP, AVIF or GIF image."));
  }
  if (Math.min(bitmap.width, bitmap.height) < 64) {
    return showProblem(new Problem("This photo is too small", `It is ${bitmap.width}×${bitmap.height}; both sides need at least 64 pixels.`));
  }
  Object.assign(state, { file, bitmap, example });
  const picture = $("picture");
  URL.revokeObjectURL(picture.src);
  picture.src = URL.createObjectURL(file);
  await picture.decode();
  $("drop").hidden = true;
  for (const part of ["stage", "region-form"]) $(part).hidden = false;
  editor.set(region ?? centralRegion(bitmap.width, bitmap.height));
}

function warnOfSize({ side }) {
  const scale = side / MODEL_SIDE;
  $("large").textContent = scale > LARGE
    ? `The model makes ${MODEL_SIDE}×${MODEL_SIDE} pixels. A square of ${side} pixels is ${scale.toFixed(1)} times as large: expect a soft fill.`
    : "";
}

async function showExamples() {
  const examples = await (await fetch("page/examples.json")).json();
  for (const [name, example] of Object.entries(examples)) {
    const button = document.createElement("button");
    const image = document.createElement("img");
    Object.assign(image, { src: `page/${name}-small.webp`, alt: "", width: 96, height: 96 });
    button.type = "button";
    button.title = `${example.title}: ${example.credit}`;
    button.append(image, example.title);
    button.addEventListener("click", () => useExample(name, example));
    $("examples").append(button);
  }
  const linked = examples[state.link?.example];
  if (linked) useExample(state.link.example, linked, state.link);
}

async function useExample(name, { caption, region }, link = null) {
  const blob = await (await fetch(`page/${name}.webp`)).blob();
  const [x, y, side] = link?.region?.split(",").map(Number) ?? region;
  await usePhoto(new File([blob], `${name}.webp`, { type: "image/webp" }), { example: name, region: { x, y, side } });
  if (!link) $("caption").value = caption;
}

// Form

function listenToForm() {
  $("form").addEventListener("submit", (event) => {
    event.preventDefault();
    fill();
  });
  $("temperature").addEventListener("input", () => ($("temperature-value").value = Number($("temperature").value).toFixed(2)));
  $("cancel").addEventListener("click", cancel);
  $("key").addEventListener("change", () => {
    writeKey($("key").value.trim());
    showModels();
  });
}

async function showModels() {
  try {
    const models = await api.models();
    $("key-label").hidden = !$("key").value;
    $("model").textContent = models.length ? `model ${models.find((one) => one.default)?.id ?? models[0].id}` : "no model is loaded";
    $("model-choice").replaceChildren(...models.map(({ id, default: chosen }) => new Option(id, id, chosen, chosen)));
    $("model-label").hidden = models.length < 2;
    if (state.link?.model) $("model-choice").value = state.link.model;
    hideProblem();
  } catch (problem) {
    $("key-label").hidden = $("key-label").hidden && problem.status !== 401;
    if (problem.status !== 401 || $("key").value) showProblem(problem);
  }
}

/** What decides a result, but the photo itself. */
async function readForm() {
  const { x, y, side } = editor.value;
  const random = crypto.getRandomValues(new Uint32Array(1))[0];
  return {
    caption: $("caption").value.trim(), compare: $("compare").value.trim(), region: `${x},${y},${side},${side}`,
    seed: $("seed").value === "" ? random : $("seed").value, n: $("count").value, temperature: $("temperature").value, detail: $("detail")?.value ?? "",
    model: $("model-choice").value, file: state.file.name, picture: await shortHash(state.file), example: state.example,
  };
}

async function fill() {
  hideProblem();
  if (!state.file) return showProblem(new Problem("There is no photo", "Choose one, or take an example."), $("choose"));
  if (!$("caption").value.trim()) return showProblem(new Problem("There is no caption", "Say what the whole photo shows."), $("caption"));
  if (!$("seed").checkValidity()) return showProblem(new Problem("The seed cannot be used", "It is a whole number from 0 to 4,294,967,295."), $("seed"));
  state.running?.controller.abort();
  const running = (state.running = { controller: new AbortController(), job: null });
  const { signal } = running.controller;
  setBusy(true, "Starting…");
  try {
    const record = await readForm();
    const form = new FormData();
    form.append("image", state.file, state.file.name);
    for (const name of ["caption", "compare", "region", "seed", "n", "temperature", "detail", "model"]) {
      if (record[name] !== "") form.append(name, record[name]);
    }
    const before = state.bitmap;
    const job = await api.submit(form, signal);
    running.job = job.id;
    showState(job);
    const end = isEnd(job.state) ? job : await api.follow(job.id, showState, signal);
    if (end.state !== "done") throw new Problem(`The job ended as ${end.state}`, end.reason ?? "Try again.");
    await showAnswer(await api.result(job.id, signal), record, before);
  } catch (problem) {
    if (problem.name === "AbortError") {
      if (state.running === running) setBusy(false, "Cancelled.");
    } else {
      setBusy(false, "");
      showProblem(problem);
    }
  } finally {
    if (state.running === running) state.running = null;
  }
}

async function cancel() {
  const { controller, job } = state.running ?? {};
  controller?.abort();
  if (job) await api.cancel(job).catch(showProblem);
}

function showState({ state: name, position, estimate_seconds: seconds }) {
  const time = seconds == null ? "" : `, about ${Math.max(1, Math.round(seconds))} s`;
  const words = { queued: position ? `Place ${position} in the queue${time}` : "In the queue", running: "Filling…", done: "Done, fetching the result…" };
  setBusy(true, words[name] ?? name);
}

function setBusy(busy, text) {
  $("fill").disabled = busy;
  $("cancel").hidden = $("progress").hidden = !busy;
  $("status").textContent = text;
}

// Result

async function showAnswer(answer, record, before) {
  const decode = (list) => Promise.all(list.map(decodePng));
  const images = await decode(answer.images);
  const others = await decode(answer.comparison?.images ?? []);
  record = { ...record, model: answer.model, bundle: answer.bundle, engine: answer.engine };
  record.result = await shortHash(pngBlob(answer.images[0]));
  Object.assign(state, { answer, record, before, images, others, chosen: 0 });
  $("result").hidden = false;
  showThumbnails();
  for (const [view, shown] of Object.entries({ captions: others.length, difference: others.length, doubt: images.length > 1 })) {
    document.querySelector(`[data-view=${view}]`).hidden = !shown;
  }
  show("fill");
  setBusy(false, `Done in ${((answer.queue_ms + answer.inference_ms) / 1000).toFixed(2)} s.`);
  showDetails();
  $("result-title").focus({ preventScroll: true });
  $("result").scrollIntoView({ block: "start", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
}

function showThumbnails() {
  const { answer, images } = state;
  $("candidates").replaceChildren(...images.map((image, index) => {
    const button = document.createElement("button");
    const canvas = document.createElement("canvas");
    drawCrop(canvas, image, answer.region);
    button.type = "button";
    const score = answer.scores ? `score ${answer.scores[index].toFixed(3)}` : "";
    button.append(canvas, score || `seed ${answer.seeds[index]}`);
    button.setAttribute("aria-label", `Candidate ${index + 1}, seed ${answer.seeds[index]}${score && `, ${score}`}`);
    button.addEventListener("click", () => {
      state.chosen = index;
      show(state.view);
    });
    return button;
  }));
}

function show(view) {
  const { answer, before, images, others, chosen } = state;
  state.view = view;
  for (const button of document.querySelectorAll("[data-view]")) button.setAttribute("aria-pressed", String(button.dataset.view === view));
  [...$("candidates").children].forEach((button, index) => button.setAttribute("aria-pressed", String(index === chosen)));
  let legend = "";
  if (view === "fill") viewer.showPair(before, images[chosen], ["Before", "After"]);
  if (view === "captions") {
    viewer.showPair(images[chosen], others[chosen], [`“${state.record.caption}”`, `“${state.record.compare}”`]);
    legend = "Both from the same noise.";
  }
  if (view === "difference") {
    const map = difference(images[chosen], others[chosen], answer.region);
    viewer.showMap(images[chosen], answer.region, map);
    legend = `Difference of the two captions: ${mean(map).toFixed(1)} of 255 levels on average, red is ${largest(map).toFixed(0)}.`;
  }
  if (view === "doubt") {
    const map = deviation(images, answer.region);
    viewer.showMap(images[chosen], answer.region, map);
    legend = `Standard deviation of ${images.length} candidates: ${mean(map).toFixed(1)} of 255 levels on average, red is ${largest(map).toFixed(0)}. The model is unsure where it is red.`;
  }
  $("legend").textContent = legend;
  $("viewer").setAttribute("aria-label", `Image: candidate ${chosen + 1} of ${images.length}, view ${view}`);
  const blob = pngBlob(answer.images[chosen]);
  URL.revokeObjectURL($("download").href);
  $("download").href = URL.createObjectURL(blob);
  $("download").download = `${state.record.file.replace(/\.[^.]*$/, "")}-filled-${answer.seeds[chosen]}.png`;
}

function showDetails() {
  const { answer, record, link } = state;
  const parts = [`Model ${answer.model}, engine ${answer.engine}, first seed ${record.seed}.`];
  if (answer.caption_unknown) parts.push("The model knows no word of a caption: it had no effect.");
  if (answer.caption_truncated) parts.push("A caption is longer than the model reads; the rest had no effect.");
  parts.push(...answer.notes);
  if (link?.bundle) {
    const other = differences(link, record);
    if (other.length) parts.push(`Not the result of the link: another ${other.join(", another ")}.`);
    else if (link.result && record.result) parts.push("The same result as in the link, bit for bit.");
    else parts.push("The same model and engine as in the link. This browser cannot compare the result here.");
  }
  $("details").textContent = parts.join(" ");
}

function listenToResult() {
  for (const button of document.querySelectorAll("[data-view]")) button.addEventListener("click", () => show(button.dataset.view));
  $("actual").addEventListener("change", () => $("viewer").classList.toggle("actual", $("actual").checked));
  $("link").addEventListener("click", () => copy(linkOf(state.record), "Link copied. It does not contain the photo."));
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.addEventListener("click", () =>
      copy(snippet(button.dataset.copy, state.record, document.baseURI.replace(/#.*/, ""), Boolean($("key").value)), "Copied."));
  }
}

async function copy(text, message) {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // an insecure origin, or no permission
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  $("copied").textContent = message;
}

function applyLink(link) {
  $("caption").value = link.caption;
  $("compare").value = link.compare ?? "";
  $("seed").value = link.seed ?? "";
  if (link.n) $("count").value = link.n;
  if (link.temperature) $("temperature").value = link.temperature;
  if (link.detail && $("detail")) $("detail").value = link.detail;
  $("temperature-value").value = Number($("temperature").value).toFixed(2);
  if (link.example) return;
  $("linked").hidden = false;
  $("linked").textContent = `This link was made with the photo ${link.file ?? ""}. Choose it to see the same result.`;
}

// Problems and the key

function showProblem(problem, field = null) {
  const advice = {
    401: "Enter an API key below.", 403: "Use another key, or the address that the service was started for.",
    413: "Use a smaller photo.", 415: "Use a PNG, JPEG, WebP, AVIF or GIF image.",
    429: `Wait ${problem.retryAfter ?? "a few"} seconds and try again.`, 503: "The service is busy or not ready. Try again soon.",
  }[problem.status];
  if (problem.status === 401) {
    $("key-label").hidden = false;
    field ??= $("key");
  }
  $("problem").textContent = [problem.title ?? "The page failed", problem.detail ?? problem.message, advice].filter(Boolean).join(". ").replaceAll("..", ".");
  $("problem").hidden = false;
  field?.focus();
}

function hideProblem() {
  $("problem").hidden = true;
}

/** The key lasts as long as the tab. */
function readKey() {
  try {
    return sessionStorage.getItem("captionfill-key") ?? "";
  } catch {
    return ""; // storage is blocked
  }
}

function writeKey(key) {
  try {
    sessionStorage.setItem("captionfill-key", key);
  } catch {
    // storage is blocked: the key is used until the page is closed
  }
}
