// What went wrong, in words for people.

/** A problem document (RFC 9457), or a failure of the network. */
export class Problem extends Error {
  constructor(title, detail = "", status = 0, retryAfter = null) {
    super(title);
    Object.assign(this, { title, detail, status, retryAfter });
  }
}
