// Links that reproduce a result, and the same request as a script.

/** First 16 hex digits of a SHA-256; an empty string where the browser has no `crypto.subtle`. */
export async function shortHash(blob) {
  if (!globalThis.crypto?.subtle) return ""; // an insecure origin other than localhost
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", await blob.arrayBuffer()));
  return Array.from(bytes.slice(0, 8), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const FIELDS = ["caption", "compare", "region", "seed", "n", "temperature", "detail", "model", "bundle", "engine", "file", "picture", "example", "result"];

/** The page's address with everything that decides a result, but the photo, after `#`. */
export function linkOf(record, base = location.href) {
  const address = new URL(base);
  const values = FIELDS.filter((name) => record[name] !== undefined && record[name] !== "");
  address.hash = new URLSearchParams(values.map((name) => [name, String(record[name])])).toString();
  return address.href;
}

/** The record in an address; null where there is none. */
export function recordOf(hash) {
  const found = Object.fromEntries(new URLSearchParams(hash.replace(/^#/, "")));
  return found.caption ? found : null;
}

/** In what a result differs from the one that a link was made of; empty if they are equal. */
export function differences(link, record) {
  const words = { picture: "photo", bundle: "model", engine: "engine", result: "result" };
  return Object.keys(words).filter((name) => link[name] && record[name] && link[name] !== record[name]).map((name) => words[name]);
}

/** The request of a record as a script in `language`. */
export function snippet(language, record, base, hasKey) {
  const address = new URL("inpaint", base).href;
  const fields = ["caption", "compare", "region", "seed", "n", "temperature", "detail", "model"]
    .filter((name) => record[name] !== undefined && record[name] !== "")
    .map((name) => [name, String(record[name])]);
  const many = Number(record.n) > 1 || Boolean(record.compare);
  return { curl, python, javascript }[language](address, record.file, fields, many, hasKey);
}

const shell = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function curl(address, file, fields, many, hasKey) {
  const form = fields.map(([name, value]) => `--form-string ${shell(`${name}=${value}`)}`);
  const key = hasKey ? ['-H "Authorization: Bearer $CAPTIONFILL_KEY"'] : [];
  const image = `-F ${shell(`image=@"${file.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`)}`;
  return ["curl -sS --fail-with-body", ...key, image, ...form, many ? "-o filled.json" : "-H 'Accept: image/png' -o filled.png", shell(address)].join(" \\\n  ");
}

/** A JSON string is a Python literal, too, but for what JSON leaves unescaped; ours has no such thing. */
const quote = (text) => JSON.stringify(text);

function python(address, file, fields, many, hasKey) {
  const data = fields.map(([name, value]) => `    ${quote(name)}: ${quote(value)},`).join("\n");
  const key = hasKey ? 'headers = {"Authorization": "Bearer " + os.environ["CAPTIONFILL_KEY"], "Accept": ACCEPT}' : 'headers = {"Accept": ACCEPT}';
  const save = many
    ? `for i, image in enumerate(response.json()["images"]):
    with open(f"filled-{i}.png", "wb") as out:
        out.write(base64.b64decode(image))`
    : 'with open("filled.png", "wb") as out:\n    out.write(response.content)';
  const imports = [many && "import base64", hasKey && "import os"].filter(Boolean);
  return `${imports.map((line) => `${line}\n`).join("")}${imports.length ? "\n" : ""}import httpx

${key.replace("ACCEPT", quote(many ? "application/json" : "image/png"))}
data = {
${data}
}
with open(${quote(file)}, "rb") as image:
    response = httpx.post(${quote(address)}, data=data, files={"image": image}, headers=headers, timeout=90)
response.raise_for_status()
${save}
`;
}

function javascript(address, file, fields, many, hasKey) {
  const lines = fields.map(([name, value]) => `form.append(${quote(name)}, ${quote(value)});`).join("\n");
  const headers = [`Accept: ${quote(many ? "application/json" : "image/png")}`, ...(hasKey ? ["Authorization: `Bearer ${key}`"] : [])];
  return `// \`photo\` is a File or a Blob (${file})${hasKey ? ", `key` the API key" : ""}
const form = new FormData();
form.append("image", photo);
${lines}
const response = await fetch(${quote(address)}, { method: "POST", body: form, headers: { ${headers.join(", ")} } });
if (!response.ok) throw new Error((await response.json()).detail);
${many ? 'const { images } = await response.json(); // base64 PNG, best first\nconst address = `data:image/png;base64,${images[0]}`;' : "const address = URL.createObjectURL(await response.blob());"}
`;
}
