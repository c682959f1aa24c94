// Computes fills beside the page, which stays responsive.

import { Inpainter } from "./captionfill.js";

const loading = Inpainter.load({ onProgress: (progress) => postMessage({ progress }) });
loading.then(() => postMessage({ ready: true }), () => {}); // an error is answered to the first fill

const running = new Map();

addEventListener("message", ({ data }) => {
  if (data.cancel) running.get(data.cancel)?.abort();
  else fill(data);
});

async function fill({ id, photo, caption, options }) {
  const controller = new AbortController();
  running.set(id, controller);
  try {
    const inpainter = await loading;
    const start = performance.now();
    const result = await inpainter.fill(photo, caption, { ...options, signal: controller.signal });
    postMessage({ id, result: { ...result, milliseconds: performance.now() - start } });
  } catch (error) {
    postMessage({ id, error: { message: error.message, isInput: error instanceof RangeError } });
  } finally {
    running.delete(id);
  }
}
