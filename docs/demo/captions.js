// Captions to vectors: the bundle's sentence encoder, its weights quantised to 8 bits.

import { Tokenizer } from "./vendor/tokenizers.min.mjs";
import { Tensor, run } from "./networks.js";

const LONGEST = 1000; // characters

/**
 * Tidy a caption's white space, as the service does.
 * @throws {RangeError} blank, too long, or with control characters
 */
export function checkCaption(text) {
  const tidy = text.trim().split(/\s+/u).join(" ");
  if ([...text].length > LONGEST) throw new RangeError(`The caption has more than ${LONGEST} characters.`);
  if (/\p{Cc}|\p{Cs}/u.test(text.replace(/[\t\n\r]/g, ""))) throw new RangeError("The caption holds control characters.");
  if (!tidy) throw new RangeError("The caption is blank; say in a few words what the photo shows.");
  return tidy;
}

export class CaptionEncoder {
  /** @param session of the encoder @param maxTokens a longer caption is cut */
  constructor(session, tokenizer, tokenizerConfig, maxTokens) {
    Object.assign(this, { session, maxTokens, tokenizer: new Tokenizer(tokenizer, tokenizerConfig) });
    this.unknown = this.tokenizer.token_to_id("[UNK]");
    this.cache = new Map();
  }

  /** @returns {Promise<{vector: Float32Array, truncated: boolean, unknown: boolean}>} a vector of length 1 */
  async embed(caption) {
    if (!this.cache.has(caption)) this.cache.set(caption, await this.#embed(caption));
    return this.cache.get(caption);
  }

  async #embed(caption) {
    const { ids } = this.tokenizer.encode(caption);
    const truncated = ids.length > this.maxTokens;
    const unknown = ids.slice(1, -1).every((id) => id === this.unknown);
    const read = truncated ? [...ids.slice(0, this.maxTokens - 1), ids.at(-1)] : ids;
    return { vector: meanRow(await this.#states(read), read.length), truncated, unknown };
  }

  async #states(ids) {
    const row = (value) => new Tensor("int64", BigInt64Array.from(ids, (id) => BigInt(value ?? id)), [1, ids.length]);
    return run(this.session, { input_ids: row(), attention_mask: row(1), token_type_ids: row(0) });
  }
}

/** The mean of all rows, scaled to length 1. */
function meanRow(states, rows) {
  const mean = new Float64Array(states.length / rows);
  states.forEach((value, at) => (mean[at % mean.length] += value));
  const length = Math.sqrt(mean.reduce((sum, value) => sum + value * value, 0));
  return Float32Array.from(mean, (value) => value / length);
}
